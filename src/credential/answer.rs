//! What a token endpoint answers (RFC 6749 §5).

use super::{Token, authorization};
use crate::json::{self, Bounds, Object, Value};

use http::StatusCode;
use zeroize::Zeroizing;

use std::time::{Duration, Instant};

/// The most bytes of an answer.
pub(super) const ANSWER_MAX: usize = 64 << 10;

const BOUNDS: Bounds = Bounds { depth: 8, items: 1_000, values: 1_000, string: ANSWER_MAX };

/// How long a token is good whose answer does not say it.
const UNTOLD: Duration = Duration::from_secs(300);
/// The longest that a token is believed to be good.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What came of a request for a token.
pub(super) struct Given {
    /// What is to be shown when a token is asked for the next time, where that is another. It is read
    /// whatever becomes of the token: whoever loses it has to ask a person.
    pub(super) refresh: Option<Zeroizing<String>>,
    pub(super) token: Result<(Token, Duration), String>,
}

/// Reads the answer with `status` to a request that was sent at `sent`. What is said of a fault holds
/// nothing that could be secret.
pub(super) fn read(status: StatusCode, body: &[u8], sent: Instant) -> Given {
    let Ok(Value::Object(members)) = json::read(body, BOUNDS) else {
        let why = format!("it answered {} without a JSON object", status.as_u16());
        return Given { refresh: None, token: Err(why) };
    };
    if !status.is_success() {
        let why = match error(&members) {
            Some(error) => format!("it answered {}: `{error}`", status.as_u16()),
            None => format!("it answered {}", status.as_u16()),
        };
        return Given { refresh: None, token: Err(why) };
    }
    let refresh = text(&members, "refresh_token");
    let refresh = refresh.filter(|refresh| is_token(refresh));
    let refresh = refresh.map(|refresh| Zeroizing::new(refresh.to_owned()));
    Given { refresh, token: token(&members, sent).map_err(str::to_owned) }
}

fn token(members: &Object<'_>, sent: Instant) -> Result<(Token, Duration), &'static str> {
    let kind = text(members, "token_type").ok_or("its answer has no `token_type`")?;
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err("its `token_type` is not `Bearer`");
    }
    let token = text(members, "access_token").ok_or("its answer has no `access_token`")?;
    let authorization = authorization(token).ok_or("its `access_token` is no bearer token")?;
    let lifetime = lifetime(members).ok_or("its `expires_in` is no number of seconds")?;
    if lifetime.is_zero() {
        return Err("its token has expired already");
    }
    let until = Some(sent + lifetime);
    Ok((Token { authorization, until }, lifetime))
}

/// Some endpoints write the number as a string.
fn lifetime(members: &Object<'_>) -> Option<Duration> {
    let seconds = match members.get("expires_in") {
        None => return Some(UNTOLD),
        Some(Value::Number(number)) => number.text().parse::<f64>().ok()?,
        Some(Value::String(text)) => f64::from(text.parse::<u32>().ok()?),
        Some(_) => return None,
    };
    let is_time = seconds.is_finite() && seconds >= 0.0;
    is_time.then(|| Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

/// The code of an error; what else is said of it may tell of the client.
fn error<'o>(members: &'o Object<'_>) -> Option<&'o str> {
    let is_code = |code: &&str| {
        (1..=40).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text(members, "error").filter(is_code)
}

/// Whether `text` can be a refresh token (RFC 6749 appendix A.17), and be kept in one line.
pub(super) fn is_token(text: &str) -> bool {
    (1..=super::TOKEN_MAX).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'!'..=b'~'))
}

fn text<'o>(members: &'o Object<'_>, name: &str) -> Option<&'o str> {
    members.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_ok(body: &str) -> Given {
        read(StatusCode::OK, body.as_bytes(), Instant::now())
    }

    #[test]
    fn a_token_is_taken_with_its_lifetime() {
        for (rest, seconds) in [
            (r#","expires_in":3599"#, 3599),
            (r#","expires_in":"3599""#, 3599),
            (r#","expires_in":1e99"#, 86_400),
            (r#","scope":"a b""#, 300),
        ] {
            let given = read_ok(&format!(r#"{{"access_token":"t","token_type":"bearer"{rest}}}"#));
            let (token, lifetime) = given.token.ok().unwrap();
            assert_eq!(
                (token.authorization.to_str().unwrap(), lifetime.as_secs()),
                ("Bearer t", seconds)
            );
        }
    }

    #[test]
    fn a_refresh_token_is_kept_even_beside_a_token_that_is_none() {
        for body in [
            r#"{"refresh_token":"r","token_type":"mac","access_token":"t"}"#,
            r#"{"refresh_token":"r","token_type":"Bearer","access_token":"a b"}"#,
            r#"{"refresh_token":"r","token_type":"Bearer","access_token":"t","expires_in":-1}"#,
            r#"{"refresh_token":"r","token_type":"Bearer","access_token":"t","expires_in":0}"#,
            r#"{"refresh_token":"r","token_type":"Bearer","access_token":"t","expires_in":null}"#,
            r#"{"refresh_token":"r"}"#,
        ] {
            let given = read_ok(body);
            assert!(given.token.is_err(), "{body}");
            assert_eq!(given.refresh.as_ref().map(|refresh| refresh.as_str()), Some("r"), "{body}");
        }
    }

    #[test]
    fn a_fault_is_told_by_its_code_and_repeats_nothing() {
        let refused = |body: &str| read(StatusCode::BAD_REQUEST, body.as_bytes(), Instant::now());
        for (body, why) in [
            (
                r#"{"error":"invalid_grant","error_description":"s3cret"}"#,
                "it answered 400: `invalid_grant`",
            ),
            (r#"{"error":"S3CRET s3cret","access_token":"s3cret"}"#, "it answered 400"),
            ("s3cret", "it answered 400 without a JSON object"),
            (r#"["s3cret"]"#, "it answered 400 without a JSON object"),
            (r#"{"error":"a","error":"b"}"#, "it answered 400 without a JSON object"),
        ] {
            let given = refused(body);
            assert_eq!(given.token.err().as_deref(), Some(why), "{body}");
            assert!(given.refresh.is_none(), "{body}");
        }
    }
}
