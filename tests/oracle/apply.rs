//! RFC 6902, as plainly as it can be written.

use super::tokens;

use serde_json::Value;

/// What `patch` makes of `document`; nothing where it does not apply.
pub fn apply(patch: &Value, document: &Value) -> Option<Value> {
    let mut document = document.clone();
    for op in patch.as_array()? {
        let path = op["path"].as_str()?;
        let from = op["from"].as_str().unwrap_or_default();
        match op["op"].as_str()? {
            "add" => add(&mut document, path, op["value"].clone())?,
            "remove" => drop(remove(&mut document, path)?),
            "replace" => *document.pointer_mut(path)? = op["value"].clone(),
            "copy" => {
                let value = document.pointer(from)?.clone();
                add(&mut document, path, value)?;
            }
            "move" if from == path => drop(document.pointer(from).filter(|_| !from.is_empty())?),
            "move" if tokens(path).starts_with(&tokens(from)) => return None,
            "move" => {
                let value = remove(&mut document, from)?;
                add(&mut document, path, value)?;
            }
            "test" => drop(document.pointer(path).filter(|found| **found == op["value"])?),
            _ => return None,
        }
    }
    Some(document)
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    let Some((above, _)) = path.rsplit_once('/') else {
        *document = value;
        return Some(());
    };
    let last = tokens(path).pop()?;
    match document.pointer_mut(above)? {
        Value::Object(members) => drop(members.insert(last, value)),
        Value::Array(elements) if last == "-" => elements.push(value),
        Value::Array(elements) => {
            let index = index(&last).filter(|index| *index <= elements.len())?;
            elements.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    let (above, _) = path.rsplit_once('/')?;
    let last = tokens(path).pop()?;
    match document.pointer_mut(above)? {
        Value::Object(members) => members.remove(&last),
        Value::Array(elements) => {
            let index = index(&last).filter(|index| *index < elements.len())?;
            Some(elements.remove(index))
        }
        _ => None,
    }
}

pub fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (token == "0" || !token.starts_with('0'));
    plain.then(|| token.parse().ok()).flatten()
}
