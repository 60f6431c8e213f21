//! Patterns for places in a document, matched on decoded tokens and never on text.

use crate::patch::Pointer;

use std::fmt;

/// A pointer in which `*` stands for any one name or index, and `**` at the end for anything
/// there or beneath. `-` stands only for itself: the place after the last element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
    deep: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Any,
    Is(String),
}

impl Pattern {
    /// The pattern that `text` is.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pointer = Pointer::parse(text).map_err(|malformed| malformed.to_string())?;
        let mut tokens = Vec::new();
        let mut deep = false;
        for token in pointer.tokens() {
            match &*token {
                _ if deep => return Err("`**` stands only at the end".into()),
                "**" => deep = true,
                "*" => tokens.push(Token::Any),
                name => tokens.push(Token::Is(name.to_owned())),
            }
        }
        Ok(Self { text: text.to_owned(), tokens, deep })
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches everything beneath what it matches.
    pub fn is_deep(&self) -> bool {
        self.deep
    }

    /// Whether `pointer` is a place that it stands for.
    pub fn matches(&self, pointer: &Pointer<'_>) -> bool {
        let mut tokens = pointer.tokens();
        self.tokens.iter().all(|own| tokens.next().is_some_and(|token| own.matches(&token)))
            && (self.deep || tokens.next().is_none())
    }

    /// Whether a place that it stands for lies at `pointer`, above it or beneath it.
    pub fn overlaps(&self, pointer: &Pointer<'_>) -> bool {
        // A place after the last element may become any element.
        pointer.tokens().zip(&self.tokens).all(|(token, own)| token == "-" || own.matches(&token))
    }

    /// Whether it stands for every place that `other` stands for.
    pub fn covers(&self, other: &Self) -> bool {
        let reaches = match (self.deep, other.deep) {
            (true, _) => other.tokens.len() >= self.tokens.len(),
            (false, true) => false,
            (false, false) => other.tokens.len() == self.tokens.len(),
        };
        reaches
            && self.tokens.iter().zip(&other.tokens).all(|(own, token)| match token {
                Token::Any => *own == Token::Any,
                Token::Is(name) => own.matches(name),
            })
    }

    /// Its tokens, without a last `**`; nothing for one that stands for any.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = Option<&str>> {
        self.tokens.iter().map(|token| match token {
            Token::Any => None,
            Token::Is(name) => Some(name.as_str()),
        })
    }

    /// The pointer that it is, if it has no wildcard.
    pub fn pointer(&self) -> Option<Pointer<'_>> {
        let plain = !self.deep && !self.tokens.contains(&Token::Any);
        plain.then(|| Pointer::parse(self.text.as_str()).ok()).flatten()
    }
}

impl Token {
    fn matches(&self, token: &str) -> bool {
        match self {
            Self::Any => token != "-",
            Self::Is(name) => name == token,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, pointer: &'static str) -> bool {
        let pattern = Pattern::parse(pattern).expect("a pattern");
        pattern.matches(&Pointer::parse(pointer).expect("well-formed"))
    }

    #[test]
    fn wildcards_match_decoded_tokens() {
        assert!(matches("/team/-", "/team/-"));
        assert!(!matches("/team/-", "/team/0"));
        assert!(matches("/team/*/email", "/team/3/email"));
        assert!(!matches("/team/*", "/team/-"));
        assert!(!matches("/team/*", "/team/0/email"));
        assert!(matches("/details/**", "/details"));
        assert!(matches("/details/**", "/details/a/b"));
        assert!(!matches("/details/**", "/detail"));
        assert!(matches("/a~1b", "/a~1b"));
        assert!(!matches("/a/b", "/a~1b"));
        assert!(matches("/**", ""));
        assert!(Pattern::parse("/**/a").is_err());
        assert!(Pattern::parse("a").is_err());
    }

    #[test]
    fn a_pattern_covers_those_that_stand_for_no_other_place() {
        let covers = |one: &str, other: &str| {
            let parse = |text| Pattern::parse(text).expect("a pattern");
            parse(one).covers(&parse(other))
        };
        for (one, other) in
            [("/a", "/a"), ("/a/*", "/a/3"), ("/a/*", "/a/*"), ("/a/**", "/a"), ("/**", "/a/**")]
        {
            assert!(covers(one, other), "{one} {other}");
        }
        for (one, other) in
            [("/a/*", "/a/-"), ("/a/3", "/a/*"), ("/a/*", "/a/**"), ("/a/b/**", "/a"), ("/a", "/b")]
        {
            assert!(!covers(one, other), "{one} {other}");
        }
    }

    #[test]
    fn overlap_is_seen_from_above_and_beneath() {
        let overlaps = |pattern: &str, pointer: &'static str| {
            let pattern = Pattern::parse(pattern).expect("a pattern");
            pattern.overlaps(&Pointer::parse(pointer).expect("well-formed"))
        };
        assert!(overlaps("/registrations/*/id", "/registrations"));
        assert!(overlaps("/registrations/*/id", "/registrations/0/id/x"));
        assert!(overlaps("/registrations/0/id", "/registrations/-"));
        assert!(!overlaps("/registrations/*/id", "/registrations/0/value"));
    }
}
