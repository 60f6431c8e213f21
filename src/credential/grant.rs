//! What is asked of a token endpoint, and how the gateway proves that it may (RFC 6749 §4.4 and §6).

use super::assertion::Assertion;
use super::state_file::StateFile;
use crate::outbound::Way;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;
use zeroize::Zeroizing;

use std::fmt;

/// How tokens are come by.
pub struct Grant {
    /// Where they are asked for.
    pub url: Uri,
    /// The way to there.
    pub way: Way,
    /// Who asks.
    pub client: Client,
    /// What they are to be good for, with spaces between; nothing leaves it to the endpoint.
    pub scope: String,
    /// Where the refresh token is kept; without one the client asks for itself.
    pub refresh: Option<StateFile>,
}

/// Who asks.
pub struct Client {
    /// Its `client_id`.
    pub id: String,
    /// How it proves that.
    pub proof: Proof,
}

/// How a client proves who it is.
pub enum Proof {
    /// A token that it signs (RFC 7523 §2.2).
    Assertion(Assertion),
    /// A password, by Basic (RFC 6749 §2.3.1).
    Basic(Zeroizing<String>),
    /// The certificate that it shows in TLS (RFC 8705 §2), or nothing (RFC 6749 §2.1, public).
    Connection,
    /// A password, within the body of the request.
    Post(Zeroizing<String>),
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({})", self.url)
    }
}

impl Grant {
    /// The request for a token; `refresh` is the refresh token.
    ///
    /// # Errors
    ///
    /// When it cannot be signed.
    pub(super) fn request(&self, refresh: Option<&str>) -> Result<Request<Full<Bytes>>, String> {
        let mut form = Form::default();
        match refresh {
            Some(refresh) => {
                form.add("grant_type", "refresh_token");
                form.add("refresh_token", refresh);
            }
            None => form.add("grant_type", "client_credentials"),
        }
        if !self.scope.is_empty() {
            form.add("scope", &self.scope);
        }
        let mut request = Request::new(());
        match &self.client.proof {
            Proof::Basic(secret) => {
                let value = basic(&self.client.id, secret)?;
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            Proof::Connection => form.add("client_id", &self.client.id),
            Proof::Post(secret) => {
                form.add("client_id", &self.client.id);
                form.add("client_secret", secret);
            }
            Proof::Assertion(assertion) => {
                let signed = assertion.sign(&self.client.id, &self.url.to_string())?;
                form.add("client_id", &self.client.id);
                form.add("client_assertion_type", Assertion::TYPE);
                form.add("client_assertion", &signed);
            }
        }
        *request.method_mut() = Method::POST;
        let target = self.url.path_and_query().cloned().ok_or("its URL has no path")?;
        *request.uri_mut() = target.into();
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(authority).map_err(|_| "its URL has no host")?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form_type);
        Ok(request.map(|()| Full::new(form.finish())))
    }
}

fn basic(id: &str, secret: &str) -> Result<HeaderValue, String> {
    let mut pair = Form::default();
    pair.escape(id);
    pair.0.push(b':');
    pair.escape(secret);
    let encoded = Zeroizing::new(STANDARD.encode(&*pair.0));
    let value = Zeroizing::new(format!("Basic {}", *encoded));
    let mut value = HeaderValue::from_str(&value).map_err(|_| "its secret cannot be sent")?;
    value.set_sensitive(true);
    Ok(value)
}

/// A form (`application/x-www-form-urlencoded`), overwritten when it has been sent.
#[derive(Default)]
struct Form(Zeroizing<Vec<u8>>);

impl Form {
    fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(b'&');
        }
        self.escape(name);
        self.0.push(b'=');
        self.escape(value);
    }

    fn escape(&mut self, text: &str) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        for byte in text.bytes() {
            match byte {
                b' ' => self.0.push(b'+'),
                b'*' | b'-' | b'.' | b'_' => self.0.push(byte),
                _ if byte.is_ascii_alphanumeric() => self.0.push(byte),
                _ => {
                    let digit = |four: u8| DIGITS.get(usize::from(four)).copied();
                    self.0.push(b'%');
                    self.0.extend(digit(byte >> 4));
                    self.0.extend(digit(byte & 15));
                }
            }
        }
    }

    fn finish(self) -> Bytes {
        Bytes::from_owner(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_escaped_byte_by_byte() {
        let mut form = Form::default();
        form.add("a b", "c&d=e+f%");
        form.add("ü", "*-._~/");
        assert_eq!(form.finish(), "a+b=c%26d%3De%2Bf%25&%C3%BC=*-._%7E%2F");
    }

    #[test]
    fn basic_has_both_parts_escaped() {
        let value = basic("a:b", "c d/é").unwrap();
        let decoded = STANDARD.decode(value.to_str().unwrap().trim_start_matches("Basic "));
        assert_eq!(decoded.unwrap(), b"a%3Ab:c+d%2F%C3%A9");
        assert!(value.is_sensitive());
    }
}
