//! Curves as one SVG file: for light and dark surroundings, on paper, without scripts or anything from elsewhere.

use std::fmt::Write as _;

use super::{Frame, Plot};
use crate::units;

/// A drawing's size and the room around its curves: left, top, right, bottom.
struct Sheet {
    width: f64,
    height: f64,
    margin: (f64, f64, f64, f64),
}

/// A file of its own.
const FILE: Sheet = Sheet { width: 720.0, height: 420.0, margin: (64.0, 48.0, 120.0, 56.0) };
/// Part of a page: as wide as a phone, so that its letters are not smaller there than those around it.
const PAGE: Sheet = Sheet { width: 380.0, height: 264.0, margin: (34.0, 22.0, 74.0, 46.0) };
/// What a file brings along and a page has.
const STYLE: &str = "<style>\n\
    svg { font: 13px system-ui, sans-serif; background: #fff; color: #222 }\n\
    text { fill: currentColor } .axis { stroke: currentColor } .grid { stroke: currentColor; opacity: .15 }\n\
    polyline { fill: none; stroke-width: 2 } polygon { opacity: .15 }\n\
    @media (prefers-color-scheme: dark) { svg { background: #1b1b1b; color: #ddd } }\n</style>\n";
/// Colours that can be told apart by those who see few, on light and on dark.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#666666"];
/// Labels at the end of curves stand this far apart at least.
const APART: f64 = 15.0;

/// The drawing as a file, ending in a newline.
pub(in crate::report) fn to_svg(plot: &Plot) -> String {
    let Sheet { width, height, margin: (left, ..) } = FILE;
    let title = escaped(&plot.title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n{STYLE}\
         <title>{title}</title>\n<text x=\"{left}\" y=\"24\" font-weight=\"bold\">{title}</text>\n{}</svg>\n",
        drawn(plot, &FILE),
    )
}

/// The drawing as part of a page of HTML, in the page's style; its title is the page's to print.
pub(in crate::report) fn part_of_page(plot: &Plot) -> String {
    let Sheet { width, height, .. } = PAGE;
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
        escaped(&plot.title),
        drawn(plot, &PAGE),
    )
}

/// Axes and curves.
fn drawn(plot: &Plot, sheet: &Sheet) -> String {
    let Sheet { width, height, margin: (left, top, right, bottom) } = *sheet;
    let mut out = String::new();
    let (across, up) = (width - left - right, height - top - bottom);
    let floor = top + up;
    if let Some(frame) = Frame::of(plot) {
        let at = |point: (f64, f64)| {
            let (x, y) = frame.place(point);
            (left + x * across, floor - y * up)
        };
        for level in frame.levels(6) {
            let (_, y) = at((frame.left, level));
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left + across,
                left - 8.0,
                y + 4.0,
                units::plain(level)
            );
        }
        for tick in frame.ticks((across / 36.0) as usize) {
            let (x, _) = at((tick, 0.0));
            let _ = writeln!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" y1=\"{floor}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                floor + 5.0,
                floor + 20.0,
                units::plain(tick)
            );
        }
        curves(&mut out, plot, at);
    }
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"{left}\" y1=\"{floor}\" x2=\"{:.1}\" y2=\"{floor}\"/>\n\
         <line class=\"axis\" x1=\"{left}\" y1=\"{top}\" x2=\"{left}\" y2=\"{floor}\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
         <text x=\"{left}\" y=\"{:.1}\">{}</text>\n",
        left + across,
        left + across / 2.0,
        height - bottom / 4.0,
        escaped(&plot.across),
        top - 8.0,
        escaped(&plot.up),
    );
    out
}

/// Each curve with its knee, and its name beside its end.
fn curves(out: &mut String, plot: &Plot, at: impl Fn((f64, f64)) -> (f64, f64)) {
    let mut names: Vec<(f64, f64, &str, &str)> = Vec::new();
    for (i, series) in plot.series.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let points: Vec<String> =
            series.points.iter().map(|point| at(*point)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        if !series.band.is_empty() {
            let forth = series.band.iter().map(|(x, from, _)| at((*x, *from)));
            let back = series.band.iter().rev().map(|(x, _, to)| at((*x, *to)));
            let edge: Vec<String> = forth.chain(back).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(out, "<polygon fill=\"{colour}\" points=\"{}\"/>", edge.join(" "));
        }
        let _ = writeln!(out, "<polyline stroke=\"{colour}\" points=\"{}\"/>", points.join(" "));
        if let Some((x, y)) = series.mark {
            let (across, up) = at((x, y));
            let _ = writeln!(
                out,
                "<circle cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"5\" fill=\"{colour}\"><title>{} × {}: {}</title></circle>",
                escaped(&series.name),
                units::plain(x),
                units::significant(y)
            );
        }
        if let Some((x, y)) = series.points.last().copied().or(series.mark).map(&at) {
            names.push((x, y, colour, &series.name));
        }
    }
    names.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut below = f64::NEG_INFINITY;
    for (x, y, colour, name) in names {
        let y = y.max(below + APART);
        below = y;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" style=\"fill:{colour}\">{}</text>",
            x + 9.0,
            y + 4.0,
            escaped(name)
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::Series;
    use super::*;

    #[test]
    fn a_drawing_is_whole_and_escapes_what_it_is_told() {
        let series = Series {
            name: "a<b".into(),
            letter: 'a',
            points: vec![(1.0, 1.0), (64.0, 30.0)],
            mark: Some((32.0, 28.0)),
            band: vec![(1.0, 0.9, 1.0), (64.0, 20.0, 35.0)],
        };
        let svg = to_svg(&Plot { title: "\"x\" & y".into(), series: vec![series], ..Plot::default() });
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(
            svg.contains("a&lt;b") && svg.contains("&quot;x&quot; &amp; y") && !svg.contains("NaN"),
            "{svg}"
        );
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<polygon").count()), (1, 1));
        assert!(to_svg(&Plot::default()).ends_with("</svg>\n"));
    }
}
