//! The list of referrals: the query options that the documents show, and the pages they cut.

use super::envelope::{Refusal, member, number, object, text};
use super::model;
use super::referral::BASE;
use crate::json::{Object, Value};

/// The page of `referrals` that `query` asks for.
pub(super) fn page<'v>(
    referrals: impl Iterator<Item = &'v Value<'static>>,
    query: &str,
    origin: &str,
) -> Result<Value<'static>, Refusal> {
    let query = Query::read(query)?;
    let wanted = |referral: &&Value<'_>| {
        query.filter.iter().all(|(name, value)| {
            member(referral, name).and_then(Value::as_str) == Some(value.as_str())
        })
    };
    let mut found: Vec<_> = referrals.filter(wanted).collect();
    if let Some((name, descending)) = query.order {
        // All dates are written alike, so that their order is that of their texts.
        found.sort_by_key(|referral| {
            member(referral, name).and_then(Value::as_str).unwrap_or_default()
        });
        if descending {
            found.reverse();
        }
    }
    let end = query.skip.saturating_add(query.top);
    let value = found.iter().skip(query.skip).take(query.top);
    let value = value.map(|referral| selected(referral, query.select.as_deref())).collect();
    let mut body = vec![
        ("@odata.context", text(format!("{origin}/v1.0/$metadata#referrals"))),
        ("@odata.count", number(&found.len().to_string()).unwrap_or(Value::Null)),
        ("value", Value::Array(value)),
    ];
    // A page of nothing would lead to itself.
    if query.top > 0 && end < found.len() {
        let rest = query.kept.join("&");
        let and = if rest.is_empty() { "" } else { "&" };
        let next = format!("{origin}{BASE}?{rest}{and}$skiptoken={end}");
        body.push(("@odata.nextLink", text(next)));
    }
    Ok(object(body))
}

fn selected(referral: &Value<'static>, select: Option<&[String]>) -> Value<'static> {
    let (Some(select), Value::Object(members)) = (select, referral) else {
        return referral.clone();
    };
    let mut kept = Object::default();
    for (name, value) in members.iter().filter(|(name, _)| select.iter().any(|s| s == name)) {
        kept.insert(name.clone(), value.clone());
    }
    Value::Object(kept)
}

struct Query {
    filter: Vec<(String, String)>,
    /// By which member, and whether the latest comes first.
    order: Option<(&'static str, bool)>,
    select: Option<Vec<String>>,
    skip: usize,
    top: usize,
    /// The options that a link to the next page repeats, as they were sent.
    kept: Vec<String>,
}

impl Query {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut read = Self {
            filter: Vec::new(),
            order: None,
            select: None,
            skip: 0,
            top: PAGE,
            kept: Vec::new(),
        };
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = decoded(name)
                .zip(decoded(value))
                .ok_or_else(|| Refusal::invalid("The query is not properly encoded."))?;
            read.option(&name, &value)
                .ok_or_else(|| Refusal::invalid("The query option is not supported.").at(&*name))?;
            if !name.starts_with("$skip") {
                read.kept.push(pair.to_owned());
            }
            // A skip token says where to go on, so that it and `$skip` are one option.
            let name = if name == "$skiptoken" { "$skip".to_owned() } else { name };
            if seen.contains(&name) {
                return Err(Refusal::invalid("The query option is given twice.").at(name));
            }
            seen.push(name);
        }
        Ok(read)
    }

    fn option(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "$filter" => self.filter = conditions(value)?,
            "$orderby" => {
                let mut words = value.split_whitespace();
                let name = words.next()?;
                let descending = match words.next() {
                    None | Some("asc") => false,
                    Some("desc") => true,
                    Some(_) => return None,
                };
                let known =
                    ["createdDateTime", "updatedDateTime"].into_iter().find(|k| *k == name)?;
                self.order = words.next().is_none().then_some((known, descending));
                self.order?;
            }
            "$select" => {
                let names: Vec<_> = value.split(',').map(|name| name.trim().to_owned()).collect();
                if !names.iter().all(|name| model::is_member(name)) {
                    return None;
                }
                self.select = Some(names);
            }
            "$skip" | "$skiptoken" => self.skip = value.parse().ok()?,
            "$top" => self.top = value.parse::<usize>().ok()?.min(PAGE),
            _ => return None,
        }
        Some(())
    }
}

/// The conditions of `a eq 'x' and b eq 'y'`; a quote within a value is doubled.
fn conditions(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut conditions = Vec::new();
    loop {
        let (name, after) = rest.trim_start().split_once(' ')?;
        if !["engagementId", "status", "substatus"].contains(&name) {
            return None;
        }
        let mut quoted = after.trim_start().strip_prefix("eq ")?.trim_start().strip_prefix('\'')?;
        let mut value = String::new();
        loop {
            let (text, after) = quoted.split_once('\'')?;
            value.push_str(text);
            quoted = after;
            match quoted.strip_prefix('\'') {
                Some(after) => {
                    value.push('\'');
                    quoted = after;
                }
                None => break,
            }
        }
        conditions.push((name.to_owned(), value));
        if quoted.trim().is_empty() {
            return Some(conditions);
        }
        rest = quoted.strip_prefix(' ')?.trim_start().strip_prefix("and ")?;
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The most referrals of one page, and how many it has without `$top`.
const PAGE: usize = 100;

#[cfg(test)]
mod tests {
    use super::super::testing::{Answered, PENDING};
    use super::super::{Options, Sandbox};

    fn list(query: &str) -> Answered {
        Sandbox::new(Options::default()).get(&format!("?{query}"))
    }

    fn ids(answered: &Answered) -> Vec<String> {
        let value = answered.at("/value");
        let rows = value.as_array().expect("an array").iter();
        rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
    }

    #[test]
    fn the_list_has_the_documented_envelope() {
        let answered = list("");
        assert_eq!(answered.at("/@odata.count"), 8);
        assert_eq!(
            answered.at("/@odata.context"),
            "https://api.partner.microsoft.com/v1.0/$metadata#referrals"
        );
        assert_eq!(ids(&answered).len(), 8);
        assert!(answered.json().get("@odata.nextLink").is_none());
    }

    #[test]
    fn filters_compare_and_join() {
        for (query, count) in [
            ("$filter=status%20eq%20'New'", 2),
            ("$filter=status+eq+'Closed'+and+substatus+eq+'Won'", 1),
            ("%24filter=engagementId eq '20000000-0000-4000-8000-000000000001'", 1),
            ("$filter=status eq 'It''s'", 0),
        ] {
            let answered = list(&query.replace(' ', "%20"));
            assert_eq!(answered.at("/@odata.count"), count, "{query}");
        }
    }

    #[test]
    fn pages_lead_on_until_the_last_one() {
        let sandbox = Sandbox::with(|options| options.public_url = "http://sandbox.example".into());
        let mut path = "?$top=3&$filter=status%20eq%20'Closed'&$skip=0".to_owned();
        let mut seen = Vec::new();
        for rest in [1, 0] {
            let answered = sandbox.get(&path);
            assert_eq!(answered.at("/@odata.count"), 4);
            seen.extend(ids(&answered));
            match answered.json()["@odata.nextLink"].as_str() {
                Some(next) => path = next.replace("http://sandbox.example", ""),
                None => assert_eq!(rest, 0),
            }
        }
        assert_eq!(seen.len(), 4);
        seen.dedup();
        assert_eq!(seen.len(), 4);
        assert_eq!(ids(&list("$skip=6")).len(), 2);
        assert!(list("$top=0").json().get("@odata.nextLink").is_none());
    }

    #[test]
    fn order_is_by_either_date_in_either_direction() {
        let dates = |query: &str, name: &str| -> Vec<String> {
            let value = list(query).at("/value");
            let rows = value.as_array().expect("an array").iter();
            rows.map(|row| row[name].as_str().expect("a date").to_owned()).collect()
        };
        for name in ["createdDateTime", "updatedDateTime"] {
            let up = dates(&format!("$orderby={name}"), name);
            assert!(up.is_sorted(), "{up:?}");
            assert_eq!(up, dates(&format!("$orderby={name}%20asc"), name));
            let down = dates(&format!("$orderby={name}%20desc"), name);
            assert!(down.is_sorted_by(|left, right| left >= right), "{down:?}");
        }
    }

    #[test]
    fn select_keeps_the_members_that_are_named() {
        let answered = list("$select=id,%20customerProfile,status&$top=1");
        let row = answered.at("/value/0");
        let names: Vec<&String> = row.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["customerProfile", "id", "status"]);
        assert_eq!(row["id"], PENDING);
    }

    #[test]
    fn options_that_are_not_understood_are_refused_by_name() {
        for (query, name) in [
            ("$expand=team", "$expand"),
            ("pageSize=5", "pageSize"),
            ("$top=-1", "$top"),
            ("$skip=x", "$skip"),
            ("$select=nothing", "$select"),
            ("$orderby=name", "$orderby"),
            ("$orderby=createdDateTime%20up", "$orderby"),
            ("$orderby=createdDateTime%20asc,%20id", "$orderby"),
            ("$filter=", "$filter"),
            ("$filter=status%20ne%20'New'", "$filter"),
            ("$filter=status%20eq%20New", "$filter"),
            ("$filter=name%20eq%20'x'", "$filter"),
            ("$filter=status%20eq%20'New'%20or%20status%20eq%20'Active'", "$filter"),
            ("$filter=status%20eq%20'New'%20and", "$filter"),
            ("$filter=status%20eq%20'New", "$filter"),
            ("$top=1&$top=2", "$top"),
            ("$skip=1&$skiptoken=1", "$skip"),
        ] {
            let found = list(query).outcome();
            assert_eq!(found, (400, "invalidRequest".into(), name.into()), "{query}");
        }
        assert_eq!(list("$top=%4").outcome().0, 400);
        assert_eq!(list("$top=%ff").outcome().0, 400);
    }
}
