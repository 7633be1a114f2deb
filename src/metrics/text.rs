//! The two forms of a scrape: OpenMetrics for those who ask for it, the classic text of Prometheus for all others.
//!
//! The classic text is made from the other: the same samples, with the names and types it knows.

/// The form of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Version 0.0.4 of the text that every Prometheus reads.
    Classic,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Form {
    /// The form that an `Accept` header prefers.
    pub(crate) fn accepted(accept: &str) -> Self {
        let mut best = (0.0, Self::Classic);
        for wish in accept.split(',') {
            let mut parts = wish.split(';').map(str::trim);
            let form = match parts.next() {
                Some("application/openmetrics-text") => Self::OpenMetrics,
                Some("text/plain" | "text/*" | "*/*") => Self::Classic,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
            let weight = weight.unwrap_or(1.0);
            if weight > best.0 {
                best = (weight, form);
            }
        }
        best.1
    }

    /// The content type of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// OpenMetrics as classic text. Type and help are of the name that the samples have.
pub(super) fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (family, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (end, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            if let Some((_, help)) = help.take() {
                text.push_str(&format!("# HELP {family}{end} {help}\n"));
            }
            text.push_str(&format!("# TYPE {family}{end} {kind}\n"));
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_chooses_the_form() {
        let of_prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, form) in [
            ("", Form::Classic),
            ("*/*", Form::Classic),
            ("text/html,*/*;q=0.8", Form::Classic),
            ("application/openmetrics-text", Form::OpenMetrics),
            (of_prometheus, Form::OpenMetrics),
            ("text/plain, application/openmetrics-text;q=0.5", Form::Classic),
            ("application/openmetrics-text;q=0", Form::Classic),
        ] {
            assert_eq!(Form::accepted(accept), form, "{accept}");
        }
    }

    #[test]
    fn classic_text_has_type_and_help_under_the_names_of_the_samples() {
        let open = "# HELP a_blocks Blocks\n# TYPE a_blocks counter\n# UNIT a_blocks x\na_blocks_total 3\n\
                    # HELP a_build The program\n# TYPE a_build info\na_build_info{v=\"1\"} 1\n\
                    # HELP a_peers Peers\n# TYPE a_peers gauge\na_peers 2\n# EOF\n";
        assert_eq!(
            classic(open),
            "# HELP a_blocks_total Blocks\n# TYPE a_blocks_total counter\na_blocks_total 3\n\
             # HELP a_build_info The program\n# TYPE a_build_info gauge\na_build_info{v=\"1\"} 1\n\
             # HELP a_peers Peers\n# TYPE a_peers gauge\na_peers 2\n"
        );
    }
}
