//! The two forms that Prometheus reads: that of OpenMetrics, and the older one, which tools and people
//! without a wish of their own expect.

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Plain,
}

impl Form {
    /// The one to give whoever sends `accept`.
    pub fn wanted(accept: Option<&str>) -> Self {
        // Who knows it prefers it; nobody names it with a `q` of 0.
        match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => Self::OpenMetrics,
            false => Self::Plain,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// `text`, which is in the form of OpenMetrics, in this one.
    pub(super) fn of(self, text: String) -> String {
        match self {
            Self::OpenMetrics => text,
            Self::Plain => plain(&text),
        }
    }
}

/// There a counter is called in full where it is described, and units and the end are not told of.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let kind = lines.peek().and_then(|next| next.strip_prefix("# TYPE "));
        let counter = kind.and_then(|kind| kind.strip_suffix(" counter"));
        match (line.strip_prefix("# HELP "), counter) {
            (Some(described), Some(name)) => {
                let help = described.trim_start_matches(name);
                let described = format!("# HELP {name}_total{help}\n# TYPE {name}_total counter\n");
                plain.push_str(&described);
                lines.next();
            }
            _ if line.starts_with("# UNIT ") || line == "# EOF" => {}
            _ => plain.extend([line, "\n"]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_form_is_for_whoever_does_not_ask_for_the_newer() {
        let asks =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Form::wanted(Some(asks)), Form::OpenMetrics);
        for accept in [None, Some("*/*"), Some("text/plain")] {
            assert_eq!(Form::wanted(accept), Form::Plain);
        }
        let text = "# HELP a_seconds A.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                    a_seconds_total 1\n# HELP b B.\n# TYPE b gauge\nb{c=\"# EOF\"} 2\n# EOF\n";
        assert_eq!(
            Form::Plain.of(text.to_owned()),
            "# HELP a_seconds_total A.\n# TYPE a_seconds_total counter\na_seconds_total 1\n\
             # HELP b B.\n# TYPE b gauge\nb{c=\"# EOF\"} 2\n"
        );
        assert_eq!(Form::OpenMetrics.of(text.to_owned()), text);
    }
}
