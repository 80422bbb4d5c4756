//! Whatever the bytes are, reading them ends and says what it could not read.

use super::super::{analyse, extract};
use crate::catalog::Catalog;
use crate::scan::Thresholds;
use crate::scan::source::SourceFile;

fn errors(text: &str) -> usize {
    let file = SourceFile::new("a.py", text.as_bytes().to_vec()).unwrap();
    let extracted = extract(&file, Catalog::builtin(), &Thresholds::default());
    let _ = analyse(&[extracted.facts], Catalog::builtin());
    extracted.errors.len()
}

#[test]
fn depth_is_no_danger() {
    let deep = 20_000;
    assert_eq!(errors(&format!("x = {}1{}\n", "(".repeat(deep), ")".repeat(deep))), 1);
    for (deep, expected) in [(deep, 1), (1_000, 0)] {
        for text in nests(deep) {
            assert_eq!(errors(&text), expected, "{}", &text[..40]);
        }
    }
    assert_eq!(errors(&format!("if 1:\n    pass\n{}", "elif 1:\n    pass\n".repeat(deep))), 0);
}

fn nests(deep: usize) -> [String; 6] {
    [
        format!("x = {}1\n", "not ".repeat(deep)),
        format!("x = 1{}\n", " + 1".repeat(deep)),
        format!("x = a{}\n", ".b".repeat(deep)),
        format!("x = a{}\n", "()".repeat(deep)),
        format!("x = {}1\n", "lambda: ".repeat(deep)),
        format!("x = {}1\n", "1 if 1 else ".repeat(deep)),
    ]
}

#[test]
fn circles_end() {
    for text in [
        "a = b\nb = a\na.c()\n",
        "class A(A): pass\nA().x()\n",
        "class A(B): pass\nclass B(A): pass\nA().x()\n",
        "def f():\n    return f()\nf().x()\n",
        "from a import *\nx()\n",
        "from .a import a\na()\n",
        "from ........ import a\na()\n",
        "x = x.x.x\nx()\n",
        "def d(f):\n    @d\n    def w():\n        return f()\n    return w\n@d\ndef g(): pass\ng()\n",
    ] {
        assert_eq!(errors(text), 0, "{text}");
    }
}

#[test]
fn broken_source_is_told_and_the_rest_counts() {
    let text = "import time\ndef broken(:\nasync def f():\n    time.sleep(1)\n";
    let file = SourceFile::new("a.py", text.as_bytes().to_vec()).unwrap();
    let extracted = extract(&file, Catalog::builtin(), &Thresholds::default());
    assert!(!extracted.errors.is_empty());
    let analysis = analyse(&[extracted.facts], Catalog::builtin());
    assert_eq!(analysis.observations.len(), 1);
}

#[test]
fn every_prefix_of_a_program_can_be_read() {
    let text = "import time as t\nclass C(B[int], metaclass=M):\n    x: int = f'{y!r:>{w}}'\n    async def f(self, *a, k=1, **d) -> None:\n        async with x() as (y, *z):\n            [i async for i in j if (k := i)]\n        match p:\n            case {'a': [1, *_], **rest} | C(x=1) as q if q:\n                await t.sleep(lambda: (yield))\n";
    for (end, _) in text.char_indices() {
        errors(&text[..end]);
    }
}
