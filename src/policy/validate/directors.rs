//! Directors: their addresses, and which of them this is.

use super::addresses::{Role, usable};
use crate::model::{Director, DirectorName, Family};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, nearest, quoted};
use crate::policy::read::{Field, Named, Spanned};
use crate::policy::schema::{AddressText, DirectorAddressText, DirectorText};
use crate::policy::source::Span;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The directors of a policy.
#[derive(Debug, Default)]
pub(super) struct Directors {
    pub(super) all: BTreeMap<DirectorName, Director>,
    /// In the order of the file.
    pub(super) order: Vec<DirectorName>,
    pub(super) own: Option<DirectorName>,
    /// Whether the section could not be read: rules that need it stay silent.
    pub(super) unreadable: bool,
}

impl Directors {
    /// Whether there is another one that may hold what this one holds now.
    pub(super) fn are_several(&self) -> bool {
        self.order.len() > 1
    }

    /// Whether a name is that of a director; reports it where it is not.
    pub(super) fn knows(&self, name: &str, span: Span, problems: &mut Problems) -> bool {
        if self.unreadable || self.order.iter().any(|known| **known == *name) {
            return true;
        }
        let known = self.order.iter().map(|known| &**known);
        let reference = Reference { code: Code::UnknownDirector, what: "director", section: "directors" };
        problems.push(reference.unknown(name, span, known));
        false
    }
}

/// What a name refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    pub(super) code: Code,
    /// In words: `router`.
    pub(super) what: &'static str,
    /// The section where such names are said.
    pub(super) section: &'static str,
}

impl Reference {
    /// The diagnostic of a name that is none of the known ones.
    pub(super) fn unknown<'a>(
        &self,
        name: &str,
        span: Span,
        known: impl Iterator<Item = &'a str>,
    ) -> Diagnostic {
        let known: Vec<&str> = known.collect();
        let message = format!("no {} is called {}", self.what, quoted(name));
        let diagnostic = Diagnostic::new(self.code, span, message);
        match nearest(name, known.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => diagnostic.help(format!("say it under `{}`", self.section)),
            None => diagnostic.help(format!("known under `{}`: {}", self.section, known.join(", "))),
        }
    }
}

/// The directors, each with its addresses.
pub(super) fn directors(
    field: &Field<Named<DirectorText>>,
    own: Option<&str>,
    problems: &mut Problems,
) -> Directors {
    let mut directors = Directors {
        own: own.map(DirectorName::from),
        unreadable: matches!(field, Field::Bad),
        ..Directors::default()
    };
    let mut first: BTreeMap<IpAddr, (Span, DirectorName)> = BTreeMap::new();
    for entry in field.value().map(|named| named.0.as_slice()).unwrap_or_default() {
        let name = DirectorName::from(entry.name.name.as_str());
        directors.order.push(name.clone());
        let mut director = Director::default();
        for address in addresses(entry.value.value(), problems) {
            if let Some((span, other)) = first.insert(address.value, (address.span, name.clone())) {
                let message = format!("{name} and {other} have one address: {}", address.value);
                let diagnostic = Diagnostic::new(Code::DirectorAddress, address.span, message);
                problems.push(diagnostic.related(span, "the same address").help("write each one's own"));
            }
            match address.value {
                IpAddr::V4(address) => director.ipv4 = Some(address),
                IpAddr::V6(address) => director.ipv6 = Some(address),
            }
        }
        directors.all.insert(name, director);
    }
    directors
}

/// The addresses of one director that can be one.
fn addresses(text: Option<&DirectorText>, problems: &mut Problems) -> Vec<Spanned<IpAddr>> {
    let Some(address) = text.and_then(|text| text.address.given()) else { return Vec::new() };
    let said: Vec<(Spanned<IpAddr>, Option<Family>)> = match &address.value {
        DirectorAddressText::One(AddressText(one)) => {
            vec![(Spanned { value: *one, span: address.span }, None)]
        }
        DirectorAddressText::Families(families) => {
            let of = |field: &Field<AddressText>, family| {
                let said = field.given()?;
                Some((Spanned { value: said.value.0, span: said.span }, Some(family)))
            };
            [of(&families.ipv4, Family::Ipv4), of(&families.ipv6, Family::Ipv6)]
                .into_iter()
                .flatten()
                .collect()
        }
    };
    if said.is_empty() && !problems.any_within(address.span) {
        problems.push(
            Diagnostic::new(Code::DirectorAddress, address.span, "this director has no address")
                .help("write its address, or {ipv4: …, ipv6: …} for both families"),
        );
    }
    said.into_iter().filter_map(|(address, family)| fitting(address, family, problems)).collect()
}

fn fitting(
    address: Spanned<IpAddr>,
    family: Option<Family>,
    problems: &mut Problems,
) -> Option<Spanned<IpAddr>> {
    if let Some(family) = family.filter(|family| Family::of(address.value) != *family) {
        let message = format!("{} is no {family} address", address.value);
        problems.push(
            Diagnostic::new(Code::DirectorAddress, address.span, message)
                .help("write each address under the key of its family"),
        );
        return None;
    }
    usable(address.value, Role::Director, address.span, problems).then_some(address)
}
