//! Writes JSON objects field by field, names and values as text.

/// Writes one object into a string; values are written by the caller, as text.
#[derive(Debug)]
pub struct ObjectWriter<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> ObjectWriter<'o> {
    /// Opens an object.
    #[must_use]
    pub fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    /// Writes a name as a lexeme, quotes included, and returns where its value goes.
    pub fn lexeme(&mut self, lexeme: &str) -> &mut String {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        self.out.push_str(lexeme);
        self.out.push(':');
        self.out
    }

    /// Writes a field: a plain name (nothing in it needs an escape) and the JSON text of its value.
    pub fn field(&mut self, name: &str, value: &str) -> &mut Self {
        let out = self.name(name);
        out.push_str(value);
        self
    }

    /// Writes a plain name (nothing in it needs an escape) and returns where its value goes.
    pub fn name(&mut self, name: &str) -> &mut String {
        self.lexeme("");
        self.out.pop();
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push('}');
    }
}

/// The text as a JSON string, quotes and escapes included.
#[must_use]
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_separated_and_strings_escaped() {
        let mut out = String::new();
        let mut object = ObjectWriter::open(&mut out);
        object.field("a", "1").field("b", &quote("x\"\n"));
        object.lexeme("\"c\\u0041\"").push_str("[]");
        object.close();
        assert_eq!(out, r#"{"a":1,"b":"x\"\n","c\u0041":[]}"#);
    }
}
