//! A flame graph as one SVG file: callers above callees, width is wall time, colour says what was done. Readable without
//! scripts; with them a click enlarges a level and Escape shows everything again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Level, hue, rows};
use crate::profile::Profile;
use crate::report::markup::escaped;
use crate::units;
use crate::wait::Account;

/// Width of the drawing and height of a level, pixels.
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 18.0;
/// Room for the title.
const TOP: f64 = 48.0;
const MARGIN: f64 = 10.0;
/// Levels narrower than this are not drawn, pixels.
const NARROWEST: f64 = 0.3;
/// Width of a character, pixels, on the safe side.
const CHARACTER: f64 = 7.0;

/// A level and everything it called.
#[derive(Default)]
struct Node<'a> {
    /// Wall time by what was done, nanoseconds.
    times: BTreeMap<Account, u128>,
    inner: BTreeMap<Level<'a>, Node<'a>>,
}

impl Node<'_> {
    fn total(&self) -> u128 {
        self.times.values().sum()
    }

    /// What most of its time was spent on.
    fn mostly(&self) -> Account {
        self.times
            .iter()
            .max_by_key(|(_, time)| **time)
            .map_or(Account::Unattributed, |(account, _)| *account)
    }

    fn depth(&self) -> usize {
        self.inner.values().map(Node::depth).max().map_or(0, |deepest| deepest + 1)
    }
}

/// The drawing.
pub(in crate::report) fn to_flamegraph(profile: &Profile) -> String {
    let mut root = Node::default();
    for row in rows(profile) {
        let time = row.wall.as_nanos();
        let mut node = &mut root;
        *node.times.entry(row.account).or_default() += time;
        for level in row.levels {
            node = node.inner.entry(level).or_default();
            *node.times.entry(row.account).or_default() += time;
        }
    }
    let mut drawing =
        Drawing { svg: String::new(), all: root.total().max(1) as f64, wall: profile.wall.as_secs_f64() };
    let mut x = 0.0;
    for (level, node) in by_time(&root) {
        drawing.level(level, node, x, 0);
        x += node.total() as f64;
    }
    page(profile, &root, &drawing.svg)
}

/// What a level called, most time first.
fn by_time<'n, 'a>(node: &'n Node<'a>) -> Vec<(&'n Level<'a>, &'n Node<'a>)> {
    let mut inner: Vec<_> = node.inner.iter().collect();
    inner.sort_by_key(|(_, node)| std::cmp::Reverse(node.total()));
    inner
}

struct Drawing {
    svg: String,
    /// Time that the whole width stands for, nanoseconds.
    all: f64,
    /// Wall time of the program, seconds.
    wall: f64,
}

impl Drawing {
    fn level(&mut self, level: &Level<'_>, node: &Node<'_>, start: f64, depth: usize) {
        let scale = (WIDTH - 2.0 * MARGIN) / self.all;
        let width = node.total() as f64 * scale;
        if width < NARROWEST {
            return;
        }
        let (x, y) = (MARGIN + start * scale, TOP + depth as f64 * HEIGHT);
        let seconds = node.total() as f64 / 1e9;
        let share = if self.wall > 0.0 {
            format!(", {} of the wall time", units::percent(seconds / self.wall))
        } else {
            String::new()
        };
        let name = escaped(&level.name);
        // Own code stands out; what is done is strongest.
        let (saturation, lightness) = match level.frame {
            None if depth > 0 => (75, 62),
            Some(frame) if frame.own => (65, 74),
            _ => (28, 84),
        };
        let _ = write!(
            self.svg,
            "<g><title>{name}: {}{share}</title><rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{:.0}\" \
             fill=\"hsl({},{saturation}%,{lightness}%)\"/>",
            units::seconds(seconds),
            HEIGHT - 1.0,
            hue(node.mostly()),
        );
        let fits = ((width - 6.0) / CHARACTER).max(0.0) as usize;
        let text = shortened(&level.name, fits);
        let _ = write!(
            self.svg,
            "<text x=\"{:.1}\" y=\"{:.0}\" data-name=\"{name}\">{}</text>",
            x + 3.0,
            y + 13.0,
            escaped(&text)
        );
        self.svg.push_str("</g>\n");
        let mut start = start;
        for (level, inner) in by_time(node) {
            self.level(level, inner, start, depth + 1);
            start += inner.total() as f64;
        }
    }
}

fn shortened(name: &str, columns: usize) -> String {
    match (name.chars().count(), columns) {
        (_, ..3) => String::new(),
        (count, _) if count <= columns => name.to_owned(),
        _ => name.chars().take(columns - 1).chain(['…']).collect(),
    }
}

fn page(profile: &Profile, root: &Node<'_>, levels: &str) -> String {
    let height = TOP + root.depth() as f64 * HEIGHT + MARGIN;
    let mut legend = String::new();
    let mut x = MARGIN;
    let mut accounts: Vec<(&Account, &u128)> = root.times.iter().filter(|(_, time)| **time > 0).collect();
    accounts.sort_by_key(|(_, time)| std::cmp::Reverse(**time));
    for (account, time) in accounts {
        let name = format!("{} {}", account.name(), units::seconds(*time as f64 / 1e9));
        let _ = write!(
            legend,
            "<rect x=\"{x:.0}\" y=\"28\" width=\"11\" height=\"11\" fill=\"hsl({},75%,62%)\"/>\
             <text x=\"{:.0}\" y=\"38\">{name}</text>",
            hue(*account),
            x + 15.0
        );
        x += 15.0 + CHARACTER * (name.chars().count() as f64 + 2.0);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"100%\" \
         font-family=\"ui-monospace,monospace\" font-size=\"11\">\n\
         <style>text{{fill:#222;pointer-events:none}}.page{{fill:#fff}}.title{{font-size:14px;font-weight:bold}}\
         g rect{{cursor:pointer}}g rect:hover{{stroke:#222}}</style>\n\
         <rect class=\"page\" width=\"{WIDTH:.0}\" height=\"{height:.0}\"/>\n\
         <text class=\"title\" x=\"{MARGIN:.0}\" y=\"18\">{}: {}</text>\n{legend}\n{levels}\
         <script><![CDATA[{SCRIPT}]]></script>\n</svg>\n",
        escaped(&shortened(&profile.command.join(" "), 120)),
        units::seconds(profile.wall.as_secs_f64()),
    )
}

/// Enlarges the level that is clicked: what lies beside it goes, what lies above it fills the width.
const SCRIPT: &str = r#"
(function () {
  var groups = Array.prototype.map.call(document.querySelectorAll("g"), function (g) {
    var rect = g.querySelector("rect"), text = g.querySelector("text");
    return {g: g, rect: rect, text: text, x: +rect.getAttribute("x"), w: +rect.getAttribute("width"),
      y: +rect.getAttribute("y"), name: text.getAttribute("data-name")};
  });
  function show(from, width, y) {
    var left = 10, full = 1180;
    groups.forEach(function (o) {
      var above = o.y < y && o.x <= from + 0.05 && o.x + o.w >= from + width - 0.05;
      var inside = o.x >= from - 0.05 && o.x + o.w <= from + width + 0.05 && o.y >= y;
      var x = above ? left : left + (o.x - from) / width * full, w = above ? full : o.w / width * full;
      o.g.style.display = above || inside ? "" : "none";
      o.rect.setAttribute("x", x);
      o.rect.setAttribute("width", w);
      o.text.setAttribute("x", x + 3);
      var fits = Math.floor((w - 6) / 7);
      o.text.textContent = fits < 3 ? "" : o.name.length <= fits ? o.name : o.name.slice(0, fits - 1) + "…";
    });
  }
  groups.forEach(function (o) {
    o.rect.addEventListener("click", function () { show(o.x, o.w, o.y); });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { show(10, 1180, 0); }
  });
})();
"#;

#[cfg(test)]
mod tests {
    #[test]
    fn the_drawing_is_well_formed_and_names_what_it_shows() {
        let svg = super::to_flamegraph(&super::super::tests::profile());
        assert!(svg.contains("fetch (etl.py:42)") && svg.contains("90.0 %") | svg.contains("90 %"), "{svg}");
        assert!(svg.contains("a;b &lt;c&gt; (etl.py:1)"));
        let count = |text: &str| svg.matches(text).count();
        assert_eq!(
            (count("<g>"), count("<svg"), count("<title>")),
            (count("</g>"), count("</svg>"), count("</title>"))
        );
    }
}
