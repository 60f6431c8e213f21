//! `${NAME}` and `${file:PATH}` in the values of a file: what differs from place to place, and what
//! is too secret to stand in it.

use super::Files;

use serde_json::Value;
use zeroize::Zeroizing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most bytes of a file that a value is made from.
const FILE_MAX: usize = 64 << 10;

/// The values that were made from elsewhere: for each its pointer, and what is written there.
#[derive(Debug, Default)]
pub(super) struct References {
    written: BTreeMap<String, String>,
    /// The files among them, each with the pointer to the value that it is part of.
    pub(super) files: Vec<(String, PathBuf)>,
    /// What leads nowhere, each with its pointer.
    pub(super) faults: Vec<(String, String)>,
}

impl References {
    /// Puts what they lead to in the place of all references in `json`, which stands in `folder`.
    pub(super) fn resolve(json: &mut Value, folder: &Path, files: &mut Files) -> Self {
        let mut found = Self::default();
        found.walk(json, String::new(), folder, files);
        found
    }

    /// Whether one leads to the value at `pointer`.
    pub(super) fn leads_to(&self, pointer: &str) -> bool {
        self.written.contains_key(pointer)
    }

    /// Puts back what is written, where `json` has what it leads to.
    pub(super) fn mask(&self, json: &mut Value) {
        for (pointer, written) in &self.written {
            if let Some(value) = json.pointer_mut(pointer) {
                *value = written.as_str().into();
            }
        }
    }

    /// Makes numbers and truth values of those that `pointers` lead to, if they can be. Whether any
    /// was.
    pub(super) fn read_as_wanted<'p>(
        &self,
        json: &mut Value,
        pointers: impl Iterator<Item = &'p String>,
    ) -> bool {
        let mut is_any = false;
        for pointer in pointers.filter(|pointer| self.written.contains_key(*pointer)) {
            if let Some(value) = json.pointer_mut(pointer)
                && let Some(read) = value.as_str().and_then(|text| serde_json::from_str(text).ok())
                && matches!(read, Value::Number(_) | Value::Bool(_))
            {
                *value = read;
                is_any = true;
            }
        }
        is_any
    }

    fn walk(&mut self, json: &mut Value, pointer: String, folder: &Path, files: &mut Files) {
        match json {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text(text, pointer, folder, files),
            Value::Array(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    self.walk(element, format!("{pointer}/{index}"), folder, files);
                }
            }
            Value::Object(members) => {
                for (key, value) in members {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    self.walk(value, format!("{pointer}/{key}"), folder, files);
                }
            }
        }
    }

    fn text(&mut self, text: &mut String, pointer: String, folder: &Path, files: &mut Files) {
        if !text.contains("${") {
            return;
        }
        let mut parts: Vec<Zeroizing<String>> = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                parts.push(format!("{before}${{").into());
                rest = after;
                continue;
            }
            parts.push(before.to_owned().into());
            let (name, after) = after.split_once('}').unwrap_or(("", ""));
            let found = match name.strip_prefix("file:") {
                Some(path) => {
                    let path = folder.join(path);
                    files.push(path.clone());
                    self.files.push((pointer.clone(), path.clone()));
                    file(&path)
                }
                None => variable(name),
            };
            match found {
                Ok(found) => parts.push(found),
                Err(fault) => return self.faults.push((pointer, fault)),
            }
            rest = after;
        }
        parts.push(rest.to_owned().into());
        // In one piece, so that no half of a secret is left behind.
        let mut whole = String::with_capacity(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| whole.push_str(part));
        self.written.insert(pointer, std::mem::replace(text, whole));
    }
}

fn variable(name: &str) -> Result<Zeroizing<String>, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(plain)
    {
        return Err(
            "this is no reference; write it as `${NAME}` or `${file:PATH}`, and `$${` for \
                    what is none"
                .to_owned(),
        );
    }
    match std::env::var(name) {
        Ok(value) => Ok(value.into()),
        Err(std::env::VarError::NotPresent) => {
            Err(format!("the environment variable `{name}` is not set"))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("the environment variable `{name}` is not UTF-8"))
        }
    }
}

/// What is in a file, without the end of its last line.
fn file(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let bytes =
        std::fs::read(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            return Err(format!("`{shown}` is not UTF-8"));
        }
    };
    if text.len() > FILE_MAX {
        return Err(format!("`{shown}` has more than 64 KiB, which is too long for a value"));
    }
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let end = line.unwrap_or(&text).len();
    text.truncate(end);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn a_reference_becomes_what_it_leads_to_and_is_put_back() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("two"), "a ${HOME}\r\nb\n\r\n").unwrap();
        std::fs::write(folder.path().join("none"), "\n").unwrap();
        let written = json!({
            "a/b": ["x${file:two}y${file:none}z"],
            "plain": ["$", "$x", "{a}", "$$", 1],
            "escaped": "$${HOME} $${",
            "cargo": "${CARGO_MANIFEST_DIR}",
        });
        let (mut json, mut files) = (written.clone(), Files::default());
        let references = References::resolve(&mut json, folder.path(), &mut files);
        assert!(references.faults.is_empty(), "{:?}", references.faults);
        assert_eq!(json["a/b"][0], "xa ${HOME}\r\nb\nyz", "one line end, and nothing twice");
        assert_eq!(json["plain"], written["plain"]);
        assert_eq!(json["escaped"], "${HOME} ${");
        assert_eq!(json["cargo"], env!("CARGO_MANIFEST_DIR"));
        assert_eq!(references.files.len(), 2);
        references.mask(&mut json);
        assert_eq!(json, written);
    }

    #[test]
    fn what_leads_nowhere_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bytes"), [0xff]).unwrap();
        for (text, fault) in [
            ("${PATCHGATE_NOT_SET}", "the environment variable `PATCHGATE_NOT_SET` is not set"),
            ("${file:nowhere}", "cannot be read"),
            ("${file:}", "cannot be read"),
            ("${file:bytes}", "is not UTF-8"),
            ("${", "this is no reference"),
            ("${}", "this is no reference"),
            ("${A B}", "this is no reference"),
            ("${1}", "this is no reference"),
            ("${env:HOME}", "this is no reference"),
        ] {
            let mut json = json!({ "k": [text] });
            let references = References::resolve(&mut json, folder.path(), &mut Files::default());
            let (pointer, said) = &references.faults[0];
            assert!(pointer == "/k/0" && said.contains(fault), "{text}: {said}");
            assert_eq!(json["k"][0], text);
        }
    }
}
