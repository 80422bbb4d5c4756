//! Curves as one SVG file: for light and dark surroundings, on paper, without scripts or anything from elsewhere.

use std::fmt::Write as _;

use super::{Frame, Plot};
use crate::units;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
/// Room around the curves: left, top, right, bottom.
const MARGIN: (f64, f64, f64, f64) = (64.0, 48.0, 120.0, 56.0);
/// Colours that can be told apart by those who see few, on light and on dark.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#666666"];
/// Labels at the end of curves stand this far apart at least.
const APART: f64 = 15.0;

/// The drawing, ending in a newline.
pub(in crate::report) fn to_svg(plot: &Plot) -> String {
    let (left, top, right, bottom) = MARGIN;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">\n<style>\n\
         svg {{ font: 13px system-ui, sans-serif; background: #fff; color: #222 }}\n\
         text {{ fill: currentColor }} .axis {{ stroke: currentColor }} .grid {{ stroke: currentColor; opacity: .15 }}\n\
         polyline {{ fill: none; stroke-width: 2 }}\n\
         @media (prefers-color-scheme: dark) {{ svg {{ background: #1b1b1b; color: #ddd }} }}\n</style>\n\
         <title>{}</title>\n<text x=\"{left}\" y=\"24\" font-weight=\"bold\">{}</text>\n",
        escaped(&plot.title),
        escaped(&plot.title),
        escaped(&plot.title),
    );
    let (across, up) = (WIDTH - left - right, HEIGHT - top - bottom);
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
        for tick in frame.ticks(11) {
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
         <text x=\"{left}\" y=\"{:.1}\">{}</text>\n</svg>\n",
        left + across,
        left + across / 2.0,
        HEIGHT - 12.0,
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
        };
        let svg = to_svg(&Plot { title: "\"x\" & y".into(), series: vec![series], ..Plot::default() });
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(
            svg.contains("a&lt;b") && svg.contains("&quot;x&quot; &amp; y") && !svg.contains("NaN"),
            "{svg}"
        );
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert!(to_svg(&Plot::default()).ends_with("</svg>\n"));
    }
}
