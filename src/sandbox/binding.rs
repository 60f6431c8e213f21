//! Fits values that arrive to the model: true names, known members, the right types, money as a number.

use super::clock;
use super::envelope::{Refusal, number};
use super::model::Shape;
use super::options::{DealValue, Foreign, NameCase, Options, status};
use crate::json::{Object, Value};

use std::fmt::Write as _;

/// How strictly names are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<'o> {
    options: &'o Options,
    case: NameCase,
}

impl<'o> Binding<'o> {
    /// For the values of a patch.
    pub(super) fn of_patch(options: &'o Options) -> Self {
        Self { options, case: options.patch_path_case }
    }

    /// For whole bodies: the documented example mixes cases in one, so none is refused for its case.
    pub(super) fn of_body(options: &'o Options) -> Self {
        Self { options, case: NameCase::Ignore }
    }

    /// Makes `value`, which was sent for `target`, what the API would store for it.
    pub(super) fn bind<'a>(
        self,
        value: Value<'a>,
        shape: &Shape,
        target: &str,
    ) -> Result<Value<'a>, Refusal> {
        let wrong = |what: &str| {
            let message = format!("The value is not {what}.");
            Err(Refusal::invalid_as(status(self.options.bad_value_status), message).at(target))
        };
        match (shape, value) {
            (Shape::Any, value) => Ok(value),
            (Shape::Choice(choices), value) => match value.as_str() {
                Some(text) if choices.contains(&text) => Ok(value),
                _ => wrong("one of the known ones"),
            },
            (_, Value::Null) => Ok(Value::Null),
            (Shape::Flag, value @ Value::Bool(_)) => Ok(value),
            (Shape::Flag, _) => wrong("a boolean"),
            (Shape::Text, value @ Value::String(_)) => Ok(value),
            (Shape::Text, _) => wrong("a string"),
            (Shape::Moment, Value::String(text)) if clock::is_moment(&text) => {
                Ok(Value::String(text))
            }
            (Shape::Moment, _) => wrong("a date and time"),
            (Shape::Decimal, value @ Value::Number(_)) => Ok(value),
            (Shape::Decimal, _) => wrong("a number"),
            (Shape::Money, value) => match (self.options.deal_value, &value) {
                (DealValue::Both | DealValue::Number, Value::Number(_)) => Ok(value),
                (DealValue::Both | DealValue::String, Value::String(text)) => {
                    number(text).map_or_else(|| wrong("a decimal"), Ok)
                }
                _ => wrong("a decimal in the form that is taken"),
            },
            (Shape::List(element), Value::Array(elements)) => {
                let bind =
                    |(index, value)| self.element(value, element, &format!("{target}[{index}]"));
                elements
                    .into_iter()
                    .enumerate()
                    .map(bind)
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            (Shape::List(_), _) => wrong("an array"),
            (Shape::Record(_), Value::Object(members)) => self.record(members, shape, target),
            (Shape::Record(_), _) => wrong("an object"),
        }
    }

    /// The same for an element of a list, which is never null.
    pub(super) fn element<'a>(
        self,
        value: Value<'a>,
        shape: &Shape,
        target: &str,
    ) -> Result<Value<'a>, Refusal> {
        if value == Value::Null {
            let refusal = Refusal::invalid_as(
                status(self.options.bad_value_status),
                "An element of a list is not null.",
            );
            return Err(refusal.at(target));
        }
        self.bind(value, shape, target)
    }

    fn record<'a>(
        self,
        members: Object<'a>,
        shape: &Shape,
        target: &str,
    ) -> Result<Value<'a>, Refusal> {
        let mut bound = Object::default();
        for (name, value) in members {
            let mut place = target.to_owned();
            let _ = write!(place, "{}{name}", if target.is_empty() { "" } else { "." });
            let refused = |message| {
                Err(Refusal::invalid_as(status(self.options.bad_value_status), message).at(&*place))
            };
            let Some((name, shape)) = shape.field(&name, self.case) else {
                match self.options.unknown_members {
                    Foreign::Ignore => continue,
                    Foreign::Refuse => return refused("There is no such member."),
                }
            };
            if bound.insert(name.into(), self.bind(value, shape, &place)?).is_some() {
                return refused("The member is given twice.");
            }
        }
        Ok(Value::Object(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::REFERRAL;
    use super::*;
    use crate::json::{Bounds, read};

    fn bound(text: &str, options: &Options, case: NameCase) -> Result<String, String> {
        let value = read(text.as_bytes(), Bounds::default()).expect("JSON");
        let binding = Binding { options, case };
        let bound = binding.bind(value, &REFERRAL, "").map(|value| value.to_string());
        bound.map_err(|refusal| refusal.target().unwrap_or_default().to_owned())
    }

    fn exact(text: &str) -> Result<String, String> {
        bound(text, &Options::default(), NameCase::Exact)
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        for (text, target) in [
            (r#"{"name":1}"#, "name"),
            (r#"{"team":{}}"#, "team"),
            (r#"{"team":[{},{"email":true}]}"#, "team[1].email"),
            (r#"{"details":{"dealValue":"ten"}}"#, "details.dealValue"),
            (r#"{"details":{"dealValue":" 10"}}"#, "details.dealValue"),
            (r#"{"details":{"dealValue":"{}"}}"#, "details.dealValue"),
            (r#"{"details":{"closingDateTime":"soon"}}"#, "details.closingDateTime"),
            (r#"{"details":[]}"#, "details"),
            (r#"{"consent":{"consentToContact":"yes"}}"#, "consent.consentToContact"),
            (r#"{"status":null}"#, "status"),
            (r#"{"status":3}"#, "status"),
            (r#"{"substatus":"won"}"#, "substatus"),
            (r#"{"closeDate":"2026-01-01"}"#, "closeDate"),
            (r#"{"Name":"x"}"#, "Name"),
            (
                r#"{"registrations":[{"contract":{"value":"1"}}]}"#,
                "registrations[0].contract.value",
            ),
        ] {
            assert_eq!(exact(text), Err(target.to_owned()), "{text}");
        }
    }

    #[test]
    fn nearly_everything_may_be_null() {
        let text = r#"{"name":null,"details":{"requirements":null,"dealValue":null},"team":null}"#;
        assert_eq!(exact(text), Ok(text.to_owned()));
    }

    #[test]
    fn money_in_a_string_becomes_a_number_unless_switched() {
        let (text, number) =
            (r#"{"details":{"dealValue":"10000"}}"#, r#"{"details":{"dealValue":10000}}"#);
        let with = |text, deal_value| {
            bound(text, &Options { deal_value, ..Options::default() }, NameCase::Exact).ok()
        };
        assert_eq!(with(text, DealValue::Both).as_deref(), Some(number));
        assert_eq!(with(number, DealValue::Both).as_deref(), Some(number));
        assert_eq!(with(text, DealValue::String).as_deref(), Some(number));
        assert_eq!(with(number, DealValue::String), None);
        assert_eq!(with(text, DealValue::Number), None);
    }

    #[test]
    fn unknown_members_are_left_out_when_switched() {
        let options = Options { unknown_members: Foreign::Ignore, ..Options::default() };
        let left = bound(r#"{"closeDate":1,"name":"x"}"#, &options, NameCase::Exact);
        assert_eq!(left.as_deref(), Ok(r#"{"name":"x"}"#));
    }

    #[test]
    fn names_in_another_case_get_the_true_one_and_no_member_comes_twice() {
        let options = Options::default();
        let any = |text| bound(text, &options, NameCase::Ignore);
        let text = r#"{"Consent":{"ConsentToContact":true}}"#;
        assert_eq!(any(text).as_deref(), Ok(r#"{"consent":{"consentToContact":true}}"#));
        assert_eq!(any(r#"{"name":"x","NAME":"y"}"#), Err("NAME".to_owned()));
    }
}
