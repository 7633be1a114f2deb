//! Writes figures under the names of the catalogue.
use super::catalog::{self, Kind, Metric};
use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, EncodeMetric,
        MetricEncoder, NoLabelSet,
    },
    metrics::MetricType,
};
use std::{collections::BTreeMap, fmt};
use timecoin_network::Sample;
use timecoin_store::Buckets;

/// Writes one metric after the other.
pub(super) struct Writer<'w, 'e>(&'w mut DescriptorEncoder<'e>);

impl<'w, 'e> Writer<'w, 'e> {
    pub(super) fn new(encoder: &'w mut DescriptorEncoder<'e>) -> Self {
        Self(encoder)
    }

    /// What a counter, a histogram or a family of them holds.
    pub(super) fn held(&mut self, metric: &Metric, value: &impl EncodeMetric) -> fmt::Result {
        value.encode(self.begin(metric)?)
    }

    pub(super) fn gauge(&mut self, metric: &Metric, value: impl EncodeGaugeValue) -> fmt::Result {
        self.begin(metric)?.encode_gauge(&value)
    }

    pub(super) fn flag(&mut self, metric: &Metric, value: bool) -> fmt::Result {
        self.gauge(metric, u32::from(value))
    }

    pub(super) fn counter(
        &mut self,
        metric: &Metric,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        self.begin(metric)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Labels that are there, each set once.
    pub(super) fn info<L: EncodeLabelSet>(
        &mut self,
        metric: &Metric,
        sets: impl IntoIterator<Item = L>,
    ) -> fmt::Result {
        let mut encoder = self.begin(metric)?;
        sets.into_iter().try_for_each(|labels| encoder.encode_info(&labels))
    }

    /// Buckets whose bounds are divided by `scale` to get the base unit.
    pub(super) fn buckets(
        &mut self,
        metric: &Metric,
        buckets: &Buckets,
        scale: f64,
    ) -> fmt::Result {
        let bounds =
            buckets.bounds.iter().map(|bound| float(*bound) / scale).chain([f64::INFINITY]);
        let counts: Vec<(f64, u64)> = bounds.zip(buckets.counts).collect();
        let count = counts.iter().map(|(_, count)| count).sum();
        let sum = float(buckets.sum) / scale;
        self.begin(metric)?.encode_histogram::<NoLabelSet>(sum, count, &counts, None)
    }

    /// One gauge or counter for each value of labels.
    pub(super) fn each<L: EncodeLabelSet, V: EncodeGaugeValue + EncodeCounterValue>(
        &mut self,
        metric: &Metric,
        values: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        let mut encoder = self.begin(metric)?;
        for (labels, value) in values {
            figure(encoder.encode_family(&labels)?, metric.kind, &value)?;
        }
        Ok(())
    }

    /// The network's counters and gauges.
    pub(super) fn network(&mut self, samples: &[Sample]) -> fmt::Result {
        // Samples of one name must be contiguous.
        let mut by_name: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
        for sample in samples {
            by_name.entry(sample.name).or_default().push(sample);
        }
        by_name.values().try_for_each(|samples| self.samples(samples))
    }

    fn samples(&mut self, samples: &[&Sample]) -> fmt::Result {
        let metric = samples.first().and_then(|sample| catalog::of_network(sample));
        let Some(metric) = metric else { return Ok(()) };
        let (family, kind) = (&metric.family, metric.kind);
        let mut encoder = self.0.encode_descriptor(family, metric.help, None, of_kind(kind))?;
        for sample in samples {
            match (sample.label, metric.scale) {
                (Some(label), _) => {
                    figure(encoder.encode_family(&[label])?, kind, &sample.value)?;
                }
                (None, None) => return figure(encoder, kind, &sample.value),
                (None, Some(scale)) => {
                    return figure(encoder, kind, &(float(sample.value) / scale));
                }
            }
        }
        Ok(())
    }

    fn begin<'m>(&'m mut self, metric: &Metric) -> Result<MetricEncoder<'m>, fmt::Error> {
        self.0.encode_descriptor(metric.family(), metric.help, None, of_kind(metric.kind))
    }
}

fn figure(
    mut encoder: MetricEncoder<'_>,
    kind: Kind,
    value: &(impl EncodeGaugeValue + EncodeCounterValue),
) -> fmt::Result {
    match kind {
        Kind::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(value, None),
        _ => encoder.encode_gauge(value),
    }
}

fn of_kind(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
        Kind::Info => MetricType::Info,
    }
}

#[allow(clippy::cast_precision_loss, reason = "a scrape holds floats")]
fn float(value: u64) -> f64 {
    value as f64
}
