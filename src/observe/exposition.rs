//! From OpenMetrics text, which the library writes, to the Prometheus text format 0.0.4. Pure.
//!
//! The samples are the same in both. What differs: OpenMetrics names a family without the suffix of its samples (`_total`,
//! `_info`), has the types `info` and `unknown`, and ends with `# EOF`.

/// The same exposition in the Prometheus text format 0.0.4.
pub(super) fn to_text_format(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + open_metrics.len() / 64);
    let mut help = None;
    for line in open_metrics.split_inclusive('\n') {
        if !line.starts_with('#') {
            text.push_str(line);
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            // It needs the suffix that only the next line, the type, tells.
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind.trim_end() {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                same => ("", same),
            };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                text.extend(["# HELP ", name, suffix, " ", words]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_get_the_names_of_their_samples() {
        let open_metrics = "# HELP a_things Things.\n# TYPE a_things counter\na_things_total{x=\"# y\"} 1\n\
                            # HELP b B.\n# TYPE b gauge\nb 2\n\
                            # HELP c_build C.\n# TYPE c_build info\nc_build_info{v=\"1\"} 1\n\
                            # TYPE d unknown\nd 3\n# EOF\n";
        let text = "# HELP a_things_total Things.\n# TYPE a_things_total counter\na_things_total{x=\"# y\"} 1\n\
                    # HELP b B.\n# TYPE b gauge\nb 2\n\
                    # HELP c_build_info C.\n# TYPE c_build_info gauge\nc_build_info{v=\"1\"} 1\n\
                    # TYPE d untyped\nd 3\n";
        assert_eq!(to_text_format(open_metrics), text);
    }
}
