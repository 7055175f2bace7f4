//! Which of the two formats a scraper gets, by its `Accept` header (RFC 9110, section 12.5.1). Pure.

/// A form of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4: what everything understands.
    Text,
    /// OpenMetrics 1.0.0: for those who ask for it.
    OpenMetrics,
}

impl Format {
    /// The form that `accept` asks for. OpenMetrics must be named: a bare `*/*` (curl, a browser) gets plain text.
    #[must_use]
    pub fn of_accept(accept: &str) -> Self {
        let quality = |wanted: &[&str]| {
            let ranges = accept.split(',').filter_map(media_range);
            ranges.filter(|(name, _)| wanted.contains(name)).map(|(_, quality)| quality).max()
        };
        let open_metrics = quality(&["application/openmetrics-text"]).unwrap_or(0);
        let text = quality(&["text/plain"]).or_else(|| quality(&["text/*"])).or_else(|| quality(&["*/*"]));
        if open_metrics > 0 && open_metrics >= text.unwrap_or(0) { Self::OpenMetrics } else { Self::Text }
    }

    /// The `Content-Type` of the form.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// `text/plain;version=0.0.4;q=0.3` as its name and its quality in thousandths; a quality that isn't one is 0.
fn media_range(range: &str) -> Option<(&str, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    Some((name, quality.map_or(1_000, thousandths)))
}

/// `0.25` as 250. At most three decimals, at most 1.
fn thousandths(quality: &str) -> u32 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.get(..3).and_then(|digits| digits.parse::<u32>().ok())) {
        ("0", Some(thousandths)) => thousandths,
        ("1", Some(0)) => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_prefer_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; q=0.5, */*; q=0.1", Format::OpenMetrics),
            ("application/openmetrics-text;q=0, */*", Format::Text),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.9", Format::Text),
            ("application/openmetrics-text;q=nonsense", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
            (";;,q=1,,", Format::Text),
        ] {
            assert_eq!(Format::of_accept(accept), format, "{accept}");
        }
    }
}
