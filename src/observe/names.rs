//! Which names an exposition uses: Tandem's own, or those of a program whose dashboards are there already. Pure.

/// A set of names: what `/metrics?names=…` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Names {
    /// `tandem_…`, all that there is.
    #[default]
    Tandem,
    /// Those of keepalived_exporter (mehdy's), for the virtual routers.
    Keepalived,
    /// Those of node_exporter's collector `ipvs`, for the kernel's table.
    NodeExporter,
}

/// The question asks for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` is no set of names: leave `names` out for Tandem's own, or ask for `/metrics?names=keepalived` or \
     `/metrics?names=node_exporter`"
)]
pub struct UnknownNames {
    word: String,
}

impl Names {
    /// What the query of a request asks for; other parameters are the scraper's own business.
    ///
    /// # Errors
    /// When it asks for names that are not known; the sentence says which are.
    pub fn of_query(query: &str) -> Result<Self, UnknownNames> {
        let mut asked = query.split('&').filter_map(|part| part.strip_prefix("names="));
        asked.next_back().map_or(Ok(Self::Tandem), |word| match word {
            "keepalived" => Ok(Self::Keepalived),
            "node_exporter" => Ok(Self::NodeExporter),
            other => Err(UnknownNames { word: other.chars().take(LONGEST_WORD).collect() }),
        })
    }
}

/// Of an answer: what was asked may be anything.
const LONGEST_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_chooses_the_names_and_what_is_unknown_is_refused_in_a_sentence() {
        for (query, names) in [
            ("", Names::Tandem),
            ("collect[]=x&nam=keepalived", Names::Tandem),
            ("names=keepalived", Names::Keepalived),
            ("x=1&names=node_exporter", Names::NodeExporter),
        ] {
            assert_eq!(Names::of_query(query), Ok(names), "{query}");
        }
        for query in ["names=", "names=haproxy", "names=Keepalived"] {
            let sentence = Names::of_query(query).expect_err(query).to_string();
            assert!(
                sentence.contains("names=keepalived") && sentence.contains("names=node_exporter"),
                "{sentence}"
            );
        }
        let long = Names::of_query(&format!("names={}", "x".repeat(10_000))).expect_err("no names");
        assert!(long.to_string().len() < 300);
    }
}
