//! `$ref`: where it leads in the file that it stands in. It is never followed out of it.

use super::left::At;

use serde_json::Value;

/// How often one reference may lead to another.
const HOPS: usize = 16;

/// What `value`, which stands at `at`, is once every reference is followed, and where that stands.
///
/// # Errors
///
/// Why a reference leads nowhere.
pub(super) fn follow<'d>(
    root: &'d Value,
    value: &'d Value,
    at: &At,
) -> Result<(&'d Value, At), String> {
    let (mut value, mut at) = (value, at.clone());
    for _ in 0..HOPS {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            return Ok((value, at));
        };
        let pointer = target(root, reference)?;
        at = At::pointer(&pointer);
        value = root.pointer(&pointer).unwrap_or(&Value::Null);
    }
    Err("one `$ref` leads to another without end".to_owned())
}

/// The JSON Pointer that `reference` leads to in `root`.
///
/// # Errors
///
/// When it leads out of the file, or nowhere.
pub(super) fn target(root: &Value, reference: &str) -> Result<String, String> {
    let Some(fragment) = reference.strip_prefix('#') else {
        let shown = super::yaml::comment(reference);
        return Err(format!(
            "`$ref` leads to another file, `{shown}`; put what is there into this one"
        ));
    };
    let pointer = unescaped(fragment);
    match root.pointer(&pointer) {
        Some(_) => Ok(pointer),
        None => Err(format!("`$ref` leads nowhere: `{}`", super::yaml::comment(reference))),
    }
}

/// The text of a fragment: `%7B` is `{`.
fn unescaped(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn references_are_followed_within_the_file_alone() {
        let root = json!({
            "a": { "$ref": "#/b~1c/%7Bd%7D" },
            "b/c": { "{d}": { "$ref": "#/e" } },
            "e": 1,
            "loop": { "$ref": "#/loop" },
            "out": { "$ref": "other.yaml#/a" },
            "none": { "$ref": "#/none-such" },
        });
        let found = |name: &str| follow(&root, &root[name], &At::default().key(name));
        assert_eq!(found("a"), Ok((&json!(1), At::pointer("/e"))));
        for (name, why) in [("loop", "without end"), ("out", "another file"), ("none", "nowhere")] {
            assert!(found(name).is_err_and(|said| said.contains(why)), "{name}");
        }
    }
}
