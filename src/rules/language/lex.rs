//! Text into tokens.

use std::ops::Range;

use super::Problem;
use super::ast::{Literal, Operator, Suffix};

/// Longest text of one expression, bytes.
pub(super) const MAX_LENGTH: usize = 4096;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(Literal),
    Text(String),
    Word(String),
    Operator(Operator),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

/// Tokens with their bytes.
pub(super) fn lex(text: &str) -> Result<Vec<(Token, Range<usize>)>, Problem> {
    if text.len() > MAX_LENGTH {
        return Err(Problem::new(0..text.len(), format!("longer than {MAX_LENGTH} bytes"))
            .help("split it into several lines"));
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let (token, length) = match first {
            '0'..='9' | '.' => number(rest, start)?,
            'a'..='z' | 'A'..='Z' | '_' => word(rest, start)?,
            '\'' | '"' => quoted(rest, start, first)?,
            _ => symbol(rest, start)?,
        };
        tokens.push((token, start..start + length));
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn symbol(rest: &str, start: usize) -> Result<(Token, usize), Problem> {
    // Two letters before one, so that `<=` is not read as `<`.
    let operator = |length: usize| rest.get(..length).and_then(Operator::from_text);
    if let Some(found) = operator(2) {
        return Ok((Token::Operator(found), 2));
    }
    if let Some(found) = operator(1) {
        return Ok((Token::Operator(found), 1));
    }
    let first = rest.chars().next().unwrap_or(' ');
    let token = match first {
        '(' => Token::Open,
        ')' => Token::Close,
        '[' => Token::OpenList,
        ']' => Token::CloseList,
        ',' => Token::Comma,
        _ => {
            let problem = Problem::new(start..start + first.len_utf8(), format!("unexpected `{first}`"));
            return Err(match first {
                '=' => problem.help("write `==` to compare"),
                '&' | '|' => problem.help("one comparison per line; combine lines with `all`, `any`, `none`"),
                '!' => problem.help("negate with `!=`, `== false` or the list `none`"),
                '%' => problem.help("write the percent sign right behind the number, as in `50%`"),
                _ => problem,
            });
        }
    };
    Ok((token, 1))
}

fn quoted(rest: &str, start: usize, quote: char) -> Result<(Token, usize), Problem> {
    match rest[1..].find(quote) {
        Some(length) => Ok((Token::Text(rest[1..=length].to_owned()), length + 2)),
        None => Err(Problem::new(start..start + rest.len(), "text without a closing quote")),
    }
}

fn word(rest: &str, start: usize) -> Result<(Token, usize), Problem> {
    let length = rest
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == '.'))
        .unwrap_or(rest.len());
    let name = &rest[..length];
    let whole = name.split('.').all(|part| part.starts_with(|first: char| !first.is_ascii_digit()));
    if whole {
        Ok((Token::Word(name.to_owned()), length))
    } else {
        Err(Problem::new(start..start + length, format!("`{name}` is not a name"))
            .help("a name is words joined by dots, as in `wait.share`"))
    }
}

fn number(rest: &str, start: usize) -> Result<(Token, usize), Problem> {
    let digits = digits(rest);
    let letters = rest[digits..]
        .find(|letter: char| !(letter.is_ascii_alphabetic() || letter == '%'))
        .unwrap_or(rest.len() - digits);
    let span = start..start + digits + letters;
    let unit = &rest[digits..digits + letters];
    let Some(suffix) = Suffix::from_text(unit) else {
        let known: Vec<_> =
            Suffix::ALL.iter().map(|suffix| suffix.text()).filter(|t| !t.is_empty()).collect();
        return Err(Problem::new(span, format!("unknown unit `{unit}`"))
            .help(format!("units are {}", known.join(" "))));
    };
    match rest[..digits].parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Token::Number(Literal { number, suffix }), digits + letters)),
        _ => Err(Problem::new(span, format!("`{}` is not a number", &rest[..digits]))),
    }
}

/// Bytes of digits, at most one point, and an exponent.
fn digits(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let run =
        |from: usize, accept: fn(&u8) -> bool| bytes[from..].iter().take_while(|byte| accept(byte)).count();
    let mantissa = run(0, |byte| byte.is_ascii_digit() || *byte == b'.');
    if bytes.get(mantissa).is_some_and(|byte| matches!(byte, b'e' | b'E')) {
        let sign = usize::from(bytes.get(mantissa + 1).is_some_and(|byte| matches!(byte, b'+' | b'-')));
        let exponent = run(mantissa + 1 + sign, u8::is_ascii_digit);
        if exponent > 0 {
            return mantissa + 1 + sign + exponent;
        }
    }
    mantissa
}
