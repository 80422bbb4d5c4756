//! Where threads waited, by what they did and on what. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{COUNTED_ENOUGH, SITES_REPORTED};
use crate::profile::ledger::Closed;
use crate::profile::model::BlockingPoint;
use crate::profile::sites::{Durations, is_counted};
use crate::profile::thread_clock::SiteId;
use crate::wait::WaitKind;

/// The sites of all waits, those that held the program up most in front.
pub(super) fn blocking_points(books: &Closed, critical: &BTreeMap<SiteId, u64>) -> Vec<BlockingPoint> {
    type Point<'a> = (String, WaitKind, &'a str, Option<&'a str>);
    let mut merged: BTreeMap<Point<'_>, (BlockingPoint, Durations, u64)> = BTreeMap::new();
    for (id, site) in books.sites.iter().filter(|(id, site)| *id != SiteId::UNKNOWN && site.waits.blocked > 0)
    {
        let name = books.process_name(site.key.pid);
        let kind = site.kind();
        // The address of a parking spot means nothing to a reader; that of a contended lock tells locks apart.
        let resource = site.key.resource.as_deref().filter(|_| site.operation() != "park");
        let entry = merged.entry((name.clone(), kind, site.operation(), resource)).or_insert_with(|| {
            let empty = BlockingPoint {
                kind,
                operation: site.operation().to_owned(),
                resource: resource.map(str::to_owned),
                thread: name,
                episodes: 0,
                counted: false,
                wait: Duration::ZERO,
                critical: Duration::ZERO,
                queued: Duration::ZERO,
                p95: None,
                cpu: Duration::ZERO,
                threads: 0,
                in_event_loop: site.event_loop,
            };
            (empty, Durations::default(), 0)
        });
        let critical = critical.get(&id).copied().unwrap_or(0);
        entry.0.episodes += site.waits.ended;
        entry.0.wait += Duration::from_nanos(site.waits.blocked);
        entry.0.critical += Duration::from_nanos(critical);
        entry.0.queued = entry.0.queued.max(Duration::from_nanos(site.waited(1)));
        entry.0.cpu += Duration::from_nanos(site.waits.progress);
        entry.0.threads += site.waits.threads.len() as u64;
        entry.1.merge(&site.waits.durations);
        entry.2 += site.waits.counted;
    }
    let mut sites: Vec<BlockingPoint> = merged
        .into_values()
        .map(|(mut site, durations, counted)| {
            site.counted = is_counted(counted, site.episodes);
            if site.counted && counted >= COUNTED_ENOUGH {
                site.p95 = durations.quantile(0.95).map(Duration::from_nanos);
            }
            site
        })
        .collect();
    sites.sort_by_key(|site| std::cmp::Reverse((site.critical, site.wait)));
    sites.truncate(SITES_REPORTED);
    sites
}
