//! A snapshot as the text that a scraper reads. Pure: the same snapshot gives the same text.
//!
//! The library `prometheus-client` writes names, labels and escapes; the families themselves are in `families`.
//! Nothing is registered and nothing is kept between scrapes.

use super::{Format, Names, exposition, families, keepalived_names, node_names};
use crate::director::histogram::Histogram;
use crate::director::snapshot::Snapshot;
use prometheus::collector::Collector;
use prometheus::encoding::text::encode;
use prometheus::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet,
};
use prometheus::metrics::MetricType;
use prometheus::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one server's lines, roughly: spares the growing text most of its copies.
const BYTES_PER_SERVER: usize = 2_048;

/// The whole exposition, by Tandem's own names.
///
/// # Errors
/// Never in practice: writing to a string does not fail.
pub fn render(snapshot: &Arc<Snapshot>, format: Format) -> Result<String, fmt::Error> {
    render_as(snapshot, Names::Tandem, format)
}

/// The exposition by one set of names.
///
/// # Errors
/// Never in practice: writing to a string does not fail.
pub fn render_as(snapshot: &Arc<Snapshot>, names: Names, format: Format) -> Result<String, fmt::Error> {
    let servers: usize = snapshot.pools.iter().map(|pool| pool.servers.len()).sum();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(View(Arc::clone(snapshot), names)));
    let mut text =
        String::with_capacity(4_096 + if snapshot.per_server { servers * BYTES_PER_SERVER } else { 0 });
    encode(&mut text, &registry)?;
    Ok(match format {
        Format::OpenMetrics => text,
        Format::Text => exposition::to_text_format(&text),
    })
}

#[derive(Debug)]
struct View(Arc<Snapshot>, Names);

impl Collector for View {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(snapshot, names) = self;
        let write = match names {
            Names::Tandem => families::write,
            Names::Keepalived => keepalived_names::write,
            Names::NodeExporter => node_names::write,
        };
        write(&mut Families(encoder), snapshot)
    }
}

/// Writes families of samples, one after the other. One without a sample is left out.
pub(super) struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    /// A value that goes up and down, without labels; `None` leaves it out.
    pub(super) fn gauge<V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        value: Option<V>,
    ) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Values that go up and down.
    pub(super) fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        self.samples(name, help, MetricType::Gauge, samples, |mut sample, value| sample.encode_gauge(&value))
    }

    /// A value that only goes up, without labels; `name` is without `_total`. `None` leaves it out.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: Option<u64>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// Values that only go up; `name` is without `_total`.
    pub(super) fn counters<L: EncodeLabelSet, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        self.samples(name, help, MetricType::Counter, samples, |mut sample, value| {
            sample.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    /// A distribution in seconds, without labels.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        distribution(self.0.encode_descriptor(name, help, None, MetricType::Histogram)?, histogram)
    }

    /// Distributions in seconds.
    pub(super) fn histograms<'h, L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, &'h Histogram)>,
    ) -> fmt::Result {
        self.samples(name, help, MetricType::Histogram, samples, distribution)
    }

    /// A fact in labels; `name` is without `_info`.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: &impl EncodeLabelSet) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }

    fn samples<L: EncodeLabelSet, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (L, V)>,
        write: impl Fn(MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        samples.try_for_each(|(labels, value)| write(family.encode_family(&labels)?, value))
    }
}

fn distribution(mut sample: MetricEncoder<'_>, histogram: &Histogram) -> fmt::Result {
    let end = |end: Option<Duration>| end.map_or(f64::INFINITY, |end| end.as_secs_f64());
    let buckets: Vec<(f64, u64)> = histogram.ranges().map(|(upper, count)| (end(upper), count)).collect();
    sample.encode_histogram::<NoLabelSet>(histogram.sum().as_secs_f64(), histogram.count(), &buckets, None)
}
