//! Items: modules, imports, types, implementations, functions.

use proc_macro2::Span;
use syn::{Attribute, ImplItem, Item as Syntax, TraitItem, UseTree};

use super::super::facts::{
    self, Fate, Function, FunctionAt, FunctionKind, Import, Marks, Param, Receiver, ScopeAt, Spot, Sym,
    TypeAt, TypeDef, TypeKind, Value, ValueAt,
};
use super::{Reader, UNKNOWN};

impl Reader<'_> {
    pub(super) fn items(&mut self, items: &[Syntax]) {
        for item in items {
            self.item(item);
        }
    }

    pub(super) fn item(&mut self, item: &Syntax) {
        let test = self.test;
        self.test |= for_tests(attributes(item));
        match item {
            Syntax::Const(i) => self.constant(&i.ident, &i.ty, Some(&i.expr)),
            Syntax::Static(i) => self.constant(&i.ident, &i.ty, Some(&i.expr)),
            Syntax::Enum(i) => self.enumeration(i),
            Syntax::Struct(i) => {
                self.structure(&i.ident, &i.generics, i.fields.iter());
            }
            Syntax::Union(i) => {
                self.structure(&i.ident, &i.generics, i.fields.named.iter());
            }
            Syntax::Type(i) => self.alias(i),
            Syntax::Trait(i) => self.trait_item(i),
            Syntax::Impl(i) => self.implementation(i),
            Syntax::Fn(i) => {
                let outer = (self.owner.take(), self.of_trait.take());
                let at = self.function(&i.attrs, &i.sig, Some(&i.block));
                (self.owner, self.of_trait) = outer;
                let name = self.facts.function(at).name;
                self.define(name, facts::Item::Function(at));
            }
            Syntax::Mod(i) => self.module(i),
            Syntax::Use(i) => self.imports(i),
            Syntax::ExternCrate(i) => {
                let path = self.ident(&i.ident);
                let name = i.rename.as_ref().map_or(path, |(_, rename)| self.ident(rename));
                self.scope_mut().imports.push(Import { name: Some(name), path });
            }
            Syntax::Macro(i) => self.item_macro(&i.mac),
            _ => {}
        }
        self.test = test;
    }

    fn define(&mut self, name: Sym, item: facts::Item) {
        self.scope_mut().items.push((name, item));
    }

    fn constant(&mut self, ident: &syn::Ident, ty: &syn::Type, init: Option<&syn::Expr>) {
        let name = self.ident(ident);
        let value = self.ty(ty);
        self.facts.statics.push((name, value));
        let at = self.facts.statics.len() as u32 - 1;
        self.define(name, facts::Item::Static(at));
        if let Some(init) = init {
            let spot = self.spot(ident.span(), ident.span());
            self.initialiser(name, value, init, spot);
        }
    }

    fn initialiser(&mut self, name: Sym, returns: ValueAt, init: &syn::Expr, spot: Spot) {
        if matches!(init, syn::Expr::Lit(_) | syn::Expr::Path(_)) {
            return;
        }
        let marks = Marks { cached: true, test: self.test, ..Marks::default() };
        let at = self.declare(name, FunctionKind::Initialiser, marks, spot);
        self.facts.functions[at.at()].returns = returns;
        self.body(at, |reader| {
            reader.expr(init);
        });
    }

    /// A function without parameters, to be filled in.
    pub(super) fn declare(&mut self, name: Sym, kind: FunctionKind, marks: Marks, spot: Spot) -> FunctionAt {
        let parent = self.frames.last().map(|frame| frame.function);
        let fate = match kind {
            FunctionKind::Fn | FunctionKind::Initialiser => Fate::Named,
            FunctionKind::Closure | FunctionKind::AsyncBlock => Fate::Elsewhere,
        };
        let (scope, owner, of_trait) = (self.scope, self.owner, self.of_trait);
        self.add_function(Function {
            name,
            scope,
            kind,
            parent,
            owner,
            of_trait,
            receiver: Receiver::None,
            this: None,
            params: Vec::new(),
            returns: UNKNOWN,
            marks,
            fate,
            spot,
            events: Vec::new(),
            loops: Vec::new(),
        })
    }

    fn enumeration(&mut self, item: &syn::ItemEnum) {
        let at = self.structure(&item.ident, &item.generics, std::iter::empty());
        self.facts.types[at.at()].kind = TypeKind::Enum;
        let before = self.enter_parameters(&item.generics);
        for variant in &item.variants {
            for (position, field) in variant.fields.iter().enumerate() {
                let member = field.ident.as_ref().map_or_else(|| position.to_string(), ToString::to_string);
                let name = self.sym(&format!("{}.{member}", variant.ident));
                let value = self.ty(&field.ty);
                let spot = self.spot(variant.ident.span(), variant.ident.span());
                self.facts.types[at.at()].fields.push((name, value, spot));
            }
        }
        self.generics.truncate(before);
    }

    fn structure<'f>(
        &mut self,
        ident: &syn::Ident,
        generics: &syn::Generics,
        fields: impl Iterator<Item = &'f syn::Field>,
    ) -> TypeAt {
        let at = self.define_type(ident, generics, TypeKind::Struct);
        let before = self.enter_parameters(generics);
        for (position, field) in fields.enumerate() {
            let name = match &field.ident {
                Some(ident) => self.ident(ident),
                None => self.sym(&position.to_string()),
            };
            let value = self.ty(&field.ty);
            let span = field.ident.as_ref().map_or_else(|| ident.span(), syn::Ident::span);
            let spot = self.spot(span, span);
            self.facts.types[at.at()].fields.push((name, value, spot));
        }
        self.generics.truncate(before);
        at
    }

    fn define_type(&mut self, ident: &syn::Ident, generics: &syn::Generics, kind: TypeKind) -> TypeAt {
        let name = self.ident(ident);
        let generics = generics.type_params().map(|parameter| self.ident(&parameter.ident)).collect();
        self.facts.types.push(TypeDef { name, scope: self.scope, kind, generics, fields: Vec::new() });
        let at = TypeAt(self.facts.types.len() as u32 - 1);
        self.define(name, facts::Item::Type(at));
        at
    }

    fn alias(&mut self, item: &syn::ItemType) {
        let at = self.define_type(&item.ident, &item.generics, TypeKind::Alias);
        let before = self.enter_parameters(&item.generics);
        let value = self.ty(&item.ty);
        self.generics.truncate(before);
        let (name, spot) = (self.ident(&item.ident), self.spot(item.ident.span(), item.ident.span()));
        self.facts.types[at.at()].fields.push((name, value, spot));
    }

    fn trait_item(&mut self, item: &syn::ItemTrait) {
        self.define_type(&item.ident, &item.generics, TypeKind::Trait);
        let name = self.ident(&item.ident);
        let before = self.enter_generics(&item.generics);
        let this = self.value(Value::Type(name, self.scope, Vec::new()));
        let outer = self.owner.replace(this);
        let of_trait = self.of_trait.replace(name);
        for member in &item.items {
            match member {
                TraitItem::Fn(f) => {
                    self.function(&f.attrs, &f.sig, f.default.as_ref());
                }
                TraitItem::Macro(m) => self.item_macro(&m.mac),
                _ => {}
            }
        }
        (self.owner, self.of_trait) = (outer, of_trait);
        self.generics.truncate(before);
    }

    fn implementation(&mut self, item: &syn::ItemImpl) {
        let before = self.enter_generics(&item.generics);
        let this = self.ty(&item.self_ty);
        let outer = self.owner.replace(this);
        let implemented = item.trait_.as_ref().map(|(path, _)| self.path(path));
        let of_trait = std::mem::replace(&mut self.of_trait, implemented);
        for member in &item.items {
            if let ImplItem::Type(alias) = member {
                let (name, value) = (self.ident(&alias.ident), self.ty(&alias.ty));
                self.facts.associated.push((this, name, value));
                if alias.ident == "Target" {
                    self.facts.derefs.push((this, value));
                }
            }
        }
        for member in &item.items {
            match member {
                ImplItem::Fn(f) => {
                    self.function(&f.attrs, &f.sig, Some(&f.block));
                }
                ImplItem::Macro(m) => self.item_macro(&m.mac),
                _ => {}
            }
        }
        (self.owner, self.of_trait) = (outer, of_trait);
        self.generics.truncate(before);
    }

    fn module(&mut self, item: &syn::ItemMod) {
        let name = self.ident(&item.ident);
        if let Some((_, items)) = &item.content {
            let outer = self.enter_scope(Some(name), false);
            let here = self.scope;
            self.items(items);
            self.scope = outer;
            self.define(name, facts::Item::Module(here));
        } else {
            let path = item.attrs.iter().find_map(path_attribute).map(|path| self.sym(&path));
            let test = self.test;
            self.scope_mut().declared.push((name, path, test));
        }
    }

    fn imports(&mut self, item: &syn::ItemUse) {
        let mut prefix = if item.leading_colon.is_some() { "::".to_owned() } else { String::new() };
        self.use_tree(&mut prefix, &item.tree);
    }

    fn use_tree(&mut self, prefix: &mut String, tree: &UseTree) {
        let length = prefix.len();
        let push = |prefix: &mut String, ident: &syn::Ident| {
            if !prefix.is_empty() && !prefix.ends_with(':') {
                prefix.push_str("::");
            }
            let ident = ident.to_string();
            prefix.push_str(ident.strip_prefix("r#").unwrap_or(&ident));
        };
        match tree {
            UseTree::Path(path) => {
                push(prefix, &path.ident);
                stacker::maybe_grow(64 << 10, 1 << 20, || self.use_tree(prefix, &path.tree));
            }
            UseTree::Name(name) if name.ident == "self" => self.import(prefix, None),
            UseTree::Name(name) => {
                push(prefix, &name.ident);
                self.import(prefix, None);
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    push(prefix, &rename.ident);
                }
                let name = self.ident(&rename.rename);
                self.import(prefix, Some(name));
            }
            UseTree::Glob(_) => {
                let path = self.sym(prefix);
                self.scope_mut().imports.push(Import { name: None, path });
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(prefix, tree);
                }
            }
        }
        prefix.truncate(length);
    }

    fn import(&mut self, path: &str, name: Option<Sym>) {
        let last = path.rsplit("::").next().unwrap_or(path);
        let name = name.unwrap_or_else(|| self.sym(last));
        let path = self.sym(path);
        self.scope_mut().imports.push(Import { name: Some(name), path });
    }

    /// Reads a function, with a body or without one.
    pub(super) fn function(
        &mut self,
        attributes: &[Attribute],
        signature: &syn::Signature,
        block: Option<&syn::Block>,
    ) -> FunctionAt {
        let name = self.ident(&signature.ident);
        let test = self.test || for_tests(attributes);
        let marks = Marks {
            is_async: signature.asyncness.is_some(),
            test,
            main: signature.ident == "main" && self.owner.is_none()
                || attributes.iter().any(|attribute| last_is(attribute, "main")),
            cached: attributes
                .iter()
                .any(|attribute| ["cached", "once", "memoize"].iter().any(|name| last_is(attribute, name))),
        };
        let spot = self.spot(signature.ident.span(), signature.ident.span());
        let frames = std::mem::take(&mut self.frames);
        let variables = std::mem::take(&mut self.variables);
        let before = self.enter_generics(&signature.generics);
        let at = self.declare(name, FunctionKind::Fn, marks, spot);
        let returns = self.return_type(&signature.output);
        self.facts.functions[at.at()].returns = returns;
        let outer = std::mem::replace(&mut self.test, test);
        self.body(at, |reader| {
            reader.parameters(at, signature);
            if let Some(block) = block {
                reader.block(block);
            }
        });
        self.test = outer;
        self.generics.truncate(before);
        (self.frames, self.variables) = (frames, variables);
        at
    }

    fn parameters(&mut self, at: FunctionAt, signature: &syn::Signature) {
        for input in &signature.inputs {
            match input {
                syn::FnArg::Receiver(receiver) => {
                    let kind = match &receiver.kind {
                        syn::ReceiverKind::Reference(_, _, None) => Receiver::Shared,
                        syn::ReceiverKind::Reference(_, _, Some(_)) => Receiver::Exclusive,
                        syn::ReceiverKind::Typed(_, ty) if matches!(**ty, syn::Type::Reference(_)) => {
                            Receiver::Shared
                        }
                        _ => Receiver::Owned,
                    };
                    self.facts.functions[at.at()].receiver = kind;
                    let name = self.sym("self");
                    let value = self.own(self.owner.unwrap_or(UNKNOWN));
                    self.facts.functions[at.at()].this = Some(value);
                    self.bind(name, value);
                }
                syn::FnArg::Typed(typed) => {
                    let value = self.ty(&typed.ty);
                    let value = self.own(value);
                    let exclusive = matches!(&*typed.ty, syn::Type::Reference(r) if r.mutability.is_some());
                    let local = self.pattern(&typed.pat, value);
                    self.facts.functions[at.at()].params.push(Param { value, exclusive, local });
                }
            }
        }
    }

    /// A value that is this variable's and nobody else's, though others are of the same type.
    fn own(&mut self, value: ValueAt) -> ValueAt {
        if value == UNKNOWN { UNKNOWN } else { self.value(Value::OneOf(vec![value])) }
    }

    pub(super) fn here(&self) -> ScopeAt {
        self.scope
    }

    pub(super) fn word(&self, span: Span) -> Spot {
        self.spot(span, span)
    }
}

/// Whether code with these attributes is only there for tests.
pub(super) fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            let Ok(list) = attribute.meta.require_list() else { return false };
            let words = list.tokens.to_string();
            return words.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "test")
                && !words.contains("not");
        }
        ["test", "bench", "rstest", "proptest", "quickcheck", "test_case"]
            .iter()
            .any(|name| last_is(attribute, name))
    })
}

fn last_is(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

fn path_attribute(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
    pair.path.is_ident("path").then(|| text.value())
}

fn attributes(item: &Syntax) -> &[Attribute] {
    match item {
        Syntax::Const(i) => &i.attrs,
        Syntax::Static(i) => &i.attrs,
        Syntax::Enum(i) => &i.attrs,
        Syntax::Struct(i) => &i.attrs,
        Syntax::Trait(i) => &i.attrs,
        Syntax::Impl(i) => &i.attrs,
        Syntax::Fn(i) => &i.attrs,
        Syntax::Mod(i) => &i.attrs,
        Syntax::Macro(i) => &i.attrs,
        _ => &[],
    }
}
