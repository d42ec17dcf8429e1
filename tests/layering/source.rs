//! Reads Rust source as far as imports need it: text without comments and literals, and the paths in it.

/// The source with comments, strings and character literals blanked; line breaks stay, so that line numbers hold.
pub(crate) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins here ends; `at` itself when none begins here.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |n: usize| chars.get(at + n).copied().unwrap_or('\0');
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next(1) == '/' => chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n),
        '/' if next(1) == '*' => block_comment_end(chars, at),
        '"' => string_end(chars, at + 1),
        'r' | 'b' | 'c' if !after_word => raw_string_end(chars, at),
        // A lifetime has no closing quote; a character literal has one after one character or an escape.
        '\'' if next(1) == '\\' => chars[at + 3..].iter().position(|c| *c == '\'').map_or(chars.len(), |n| at + n + 4),
        '\'' if next(2) == '\'' => at + 3,
        _ => at,
    }
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (1, start + 2);
    while at < chars.len() && depth > 0 {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// `r"…"`, `r#"…"#`, `br"…"`; plain `b"…"` and `c"…"` are left to the quote itself.
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let prefix = chars[start..].iter().take(2).take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    let hashes = chars[start + prefix..].iter().take_while(|c| **c == '#').count();
    let open = start + prefix + hashes;
    if chars[start + prefix - 1] != 'r' || chars.get(open) != Some(&'"') {
        return start;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', hashes));
    let inner = open + 1;
    chars[inner..].windows(close.len()).position(|window| window == close).map_or(chars.len(), |n| inner + n + close.len())
}

/// One path of the code, with its line; groups are written out: `crate::{a, b::C}` is two paths.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CodePath {
    /// From 1.
    pub(crate) line: usize,
    /// The segments: `crate`, `event`, `Event`.
    pub(crate) segments: Vec<String>,
}

/// Every path of at least two segments (or a bare `use name`) in code without literals.
pub(crate) fn paths(code: &str) -> Vec<CodePath> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = tokens[at].is_word() && (at == 0 || tokens[at - 1].text != "::");
        let imports = at > 0 && tokens[at - 1].text == "use";
        if begins && (imports || tokens.get(at + 1).is_some_and(|next| next.text == "::")) {
            at = tree(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path or group from `at`, under the prefix; gives the position after it.
fn tree(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<CodePath>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    let line = tokens[start].line;
    while at < tokens.len() && tokens[at].is_word() {
        segments.push(tokens[at].text.clone());
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
        if tokens.get(at).is_some_and(|token| token.text == "{") {
            return group(tokens, at + 1, &segments, found);
        }
    }
    found.push(CodePath { line, segments });
    at.max(start + 1)
}

fn group(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<CodePath>) -> usize {
    let mut at = start;
    while at < tokens.len() && tokens[at].text != "}" {
        if tokens[at].is_word() {
            at = tree(tokens, at, prefix, found);
            if tokens.get(at).is_some_and(|token| token.text == "as") {
                at += 2;
            }
        } else {
            at += 1;
        }
    }
    at + 1
}

struct Token {
    line: usize,
    text: String,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push(Token { line: index + 1, text: rest[..length].to_owned() });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(code: &str) -> Vec<String> {
        paths(&code_only(code)).into_iter().map(|path| format!("{}:{}", path.line, path.segments.join("::"))).collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let source = "// use crate::a;\n/* /* crate::b::c */ */ let x = \"crate::d \\\" ::e\"; let y = r#\"crate::f\"#;\n\
                      let z = '\"'; let q = '\\''; fn f<'a>(s: &'a str) {} /// crate::g::H\nlet b = b\"crate::i::j\";";
        assert_eq!(written(source), Vec::<String>::new());
        assert_eq!(code_only(source).lines().count(), source.lines().count());
    }

    #[test]
    fn groups_are_written_out_and_lines_are_kept() {
        let source =
            "use crate::{\n    event::{Event, kind::Kind as K},\n    id::UserId,\n};\nuse std::fmt;\nfn f() { crate::hub::mark(); }";
        assert_eq!(
            written(source),
            ["2:crate::event::Event", "2:crate::event::kind::Kind", "3:crate::id::UserId", "5:std::fmt", "6:crate::hub::mark",]
        );
    }

    #[test]
    fn a_path_after_a_string_or_a_lifetime_is_still_seen() {
        assert_eq!(written("let x: &'static str = \"\"; let r = crate::shard::go(b'\"', 'x');"), ["1:crate::shard::go"]);
        assert_eq!(written("use tokio;"), ["1:tokio"]);
        assert_eq!(written("pub(crate) use crate::access::*;"), ["1:crate::access"]);
    }
}
