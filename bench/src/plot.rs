//! Plots of CPU over the number of people: a small SVG for each row, both axes logarithmic.

use std::fmt::Write as _;

use crate::compare::goals::OURS;
use crate::compare::results::Results;
use crate::compare::rows::{ROWS, Row};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
/// Room for numbers and names around the drawing.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 44.0;
/// Readable on white and told apart without colour by their marks' order.
const COLOURS: [&str; 4] = ["#0b6e4f", "#c1440e", "#6a4c93", "#555555"];

/// A server's points: people, µs.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// One plot for each row that grows: file name, title, and the SVG itself.
pub fn plots(results: &[Results]) -> Vec<(String, String, String)> {
    let growing = ROWS.iter().filter(|row| row.growth);
    let drawn = growing.filter_map(|row| {
        let lines = lines(row, results);
        let enough = lines.iter().any(|line| line.points.len() > 1);
        let title = format!("{}, {}", row.title, row.load());
        enough.then(|| (format!("{}.svg", row.key), title.clone(), draw(&title, &lines)))
    });
    drawn.collect()
}

/// How much dearer a row is for us with the most people than with the fewest.
pub fn growth(row: &Row, results: &[Results]) -> Option<f64> {
    let ours = lines(row, results).into_iter().find(|line| line.name == OURS)?;
    let (first, last) = (ours.points.first()?, ours.points.last()?);
    (ours.points.len() > 1).then(|| last.1 / first.1)
}

fn lines(row: &Row, results: &[Results]) -> Vec<Line> {
    let mut sorted: Vec<&Results> = results.iter().collect();
    sorted.sort_by_key(|results| results.people);
    let mut lines: Vec<Line> = Vec::new();
    for results in sorted {
        for peer in &results.peers {
            let cpu = results.figure(row.key, &peer.name, |sample| sample.cpu_us);
            let Some(cpu) = cpu.filter(|&cpu| cpu > 0.0) else { continue };
            let point = (results.people as f64, cpu);
            match lines.iter_mut().find(|line| line.name == peer.name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name: peer.name.clone(), points: vec![point] }),
            }
        }
    }
    lines
}

/// An axis from one power of ten to another.
struct Axis {
    from: f64,
    to: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, begin: f64, end: f64) -> Axis {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let most = values.fold(0.0, f64::max).log10().ceil();
        Axis { from: least, to: most.max(least + 1.0), begin, end }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.log10() - self.from) / (self.to - self.from);
        self.begin + share * (self.end - self.begin)
    }

    /// Every power of ten.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10f64.powi(power))
    }
}

fn draw(title: &str, lines: &[Line]) -> String {
    let points = lines.iter().flat_map(|line| &line.points);
    let across = Axis::over(points.clone().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let up = Axis::over(points.map(|point| point.1), HEIGHT - BOTTOM, TOP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\n",
        escaped(title)
    );
    for tick in across.ticks() {
        grid(&mut out, (across.at(tick), TOP), (across.at(tick), HEIGHT - BOTTOM));
        let (x, y) = (across.at(tick), HEIGHT - BOTTOM + 18.0);
        let name = people(tick);
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{name}</text>");
    }
    for tick in up.ticks() {
        grid(&mut out, (LEFT, up.at(tick)), (WIDTH - RIGHT, up.at(tick)));
        let (x, y) = (LEFT - 6.0, up.at(tick) + 4.0);
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{tick} µs</text>");
    }
    for (line, colour) in lines.iter().zip(COLOURS) {
        let places: Vec<(f64, f64)> =
            line.points.iter().map(|point| (across.at(point.0), up.at(point.1))).collect();
        series(&mut out, &line.name, &places, colour);
    }
    out.push_str("</svg>\n");
    out
}

fn grid(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn series(out: &mut String, name: &str, places: &[(f64, f64)], colour: &str) {
    let path = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
    let _ = writeln!(
        out,
        "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
    );
    for (x, y) in places {
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    if let Some((x, y)) = places.last() {
        let (x, y, name) = (x + 8.0, y + 4.0, escaped(name));
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{name}</text>");
    }
}

fn people(count: f64) -> String {
    match count {
        count if count >= 1e6 => format!("{} M", count / 1e6),
        count if count >= 1e3 => format!("{} k", count / 1e3),
        count => count.to_string(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::{Cell, Peer, RowResult, Sample};

    fn measured(people: u64, cpu_us: f64) -> Results {
        let sample = Sample { cpu_us, ..Sample::default() };
        let cell = Cell { peer: OURS.to_owned(), samples: vec![sample], failure: None };
        Results {
            people,
            peers: vec![Peer { name: OURS.to_owned(), ..Peer::default() }],
            rows: vec![RowResult { key: "search-all-16x1".to_owned(), cells: vec![cell] }],
            ..Results::default()
        }
    }

    #[test]
    fn one_plot_for_each_row_measured_at_several_sizes() {
        assert!(plots(&[measured(1000, 10.0)]).is_empty());
        let drawn = plots(&[measured(100_000, 20.0), measured(1000, 10.0)]);
        assert_eq!(drawn.len(), 1);
        let (file, title, svg) = &drawn[0];
        assert_eq!(
            (file.as_str(), title.as_str()),
            ("search-all-16x1.svg", "equality search, all attributes, 16×1")
        );
        // A decade on either axis, from left to right and from below to above.
        assert!(svg.contains("points=\"64.0,276.0 450.0,203.8\""), "{svg}");
        assert!(svg.contains("1 k") && svg.contains("100 k") && svg.contains("10 µs"), "{svg}");
    }

    #[test]
    fn growth_is_from_the_fewest_to_the_most() {
        let row = ROWS.iter().find(|row| row.key == "search-all-16x1").unwrap();
        let results = [measured(1_000_000, 15.0), measured(1000, 10.0), measured(10_000, 99.0)];
        assert_eq!(growth(row, &results), Some(1.5));
        assert_eq!(growth(row, &results[..1]), None);
    }
}
