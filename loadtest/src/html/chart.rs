//! A chart as inline SVG in a figure: axes, lines, areas, points, cells, a legend in HTML. It knows pixels, not what is measured.

use super::axis::Axis;
use super::escape;
use std::fmt::Write as _;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 48.0;
/// Room a text below the x axis needs.
const TEXT_ROOM: f64 = 58.0;
/// Shades of cells, from few to many.
pub(super) const SHADES: usize = 6;

/// The look of a line, area or point; colours repeat after [`COLOURS`], dashes tell them apart further.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// Number of the colour.
    pub(super) colour: usize,
    /// Number of the dash pattern: 0 unbroken.
    pub(super) dash: usize,
}

/// A point in the values of both axes.
pub(super) type Point = (f64, f64);

/// A rectangle of one shade.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Its lower left corner.
    pub(super) from: Point,
    /// Its upper right corner.
    pub(super) to: Point,
    /// Its shade, below [`SHADES`].
    pub(super) shade: usize,
}

/// Colours there are.
pub(super) const COLOURS: usize = 8;

/// A chart being drawn.
pub(super) struct Chart {
    title: String,
    description: String,
    note: String,
    x: Axis,
    y: Axis,
    marks: String,
    legend: String,
}

impl Chart {
    /// An empty one. The description is for those who cannot see it: what is shown, and the figures that matter.
    pub(super) fn new(title: &str, description: &str, x: Axis, y: Axis) -> Self {
        Self {
            title: title.to_owned(),
            description: description.to_owned(),
            note: String::new(),
            x,
            y,
            marks: String::new(),
            legend: String::new(),
        }
    }

    /// A sentence under the chart.
    pub(super) fn note(&mut self, text: &str) {
        text.clone_into(&mut self.note);
    }

    /// A line through points.
    pub(super) fn line(&mut self, points: &[Point], look: Look) {
        if points.is_empty() {
            return;
        }
        let class = class(look);
        let path = self.path(points);
        self.mark(&format!("<path class=\"line {class}\" d=\"M{path}\"/>"));
    }

    /// The room between an upper and a lower line over the same x values.
    pub(super) fn area(&mut self, upper: &[Point], lower: &[Point], look: Look) {
        if upper.is_empty() {
            return;
        }
        let back: Vec<Point> = lower.iter().rev().copied().collect();
        let (there, back, class) = (self.path(upper), self.path(&back), class(look));
        self.mark(&format!("<path class=\"area {class}\" d=\"M{there}L{back}Z\"/>"));
    }

    /// Points, each with the text that a pointer resting on it shows.
    pub(super) fn points(&mut self, points: &[(f64, f64, String)], look: Look) {
        let class = class(look);
        for (x, y, text) in points {
            let (left, top) = self.pixel(*x, *y);
            let text = escape(text);
            self.mark(&format!("<circle class=\"point {class}\" cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"4\"><title>{text}</title></circle>"));
        }
    }

    /// Rectangles in shades, all of one shade in one path.
    pub(super) fn cells(&mut self, cells: &[Cell]) {
        let mut paths = [const { String::new() }; SHADES];
        for cell in cells {
            let ((left, bottom), (right, top)) = (self.pixel(cell.from.0, cell.from.1), self.pixel(cell.to.0, cell.to.1));
            let (width, height) = (right - left, bottom - top);
            // Writing to a string cannot fail.
            let _ = write!(paths[cell.shade.min(SHADES - 1)], "M{left:.1} {top:.1}h{width:.1}v{height:.1}h-{width:.1}z");
        }
        for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            self.mark(&format!("<path class=\"shade s{shade}\" d=\"{path}\"/>"));
        }
    }

    /// A stretch of the x axis that stands out from the rest.
    pub(super) fn stretch(&mut self, from: f64, to: f64) {
        let (left, right) = (self.pixel(from, 0.0).0, self.pixel(to, 0.0).0);
        let (width, height) = (right - left, HEIGHT - TOP - BOTTOM);
        self.mark(&format!("<rect class=\"stretch\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>"));
    }

    /// Says what a look stands for.
    pub(super) fn name(&mut self, name: &str, look: Look) {
        let (class, name) = (class(look), escape(name));
        // Writing to a string cannot fail.
        let _ = write!(
            self.legend,
            "<li><svg viewBox=\"0 0 28 10\" aria-hidden=\"true\"><path class=\"line {class}\" d=\"M1 5H27\"/></svg>{name}</li>"
        );
    }

    /// The figure.
    pub(super) fn render(self, id: usize) -> String {
        let (title, description, note) = (escape(&self.title), escape(&self.description), escape(&self.note));
        let (axes, marks) = (self.axes(), &self.marks);
        let legend = if self.legend.is_empty() { String::new() } else { format!("<ul class=\"legend\">{}</ul>", self.legend) };
        let note = if note.is_empty() { note } else { format!("<p class=\"note\">{note}</p>") };
        format!(
            "<figure><figcaption><h3>{title}</h3></figcaption>{legend}\
             <svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"t{id} d{id}\">\
             <title id=\"t{id}\">{title}</title><desc id=\"d{id}\">{description}</desc>{axes}{marks}</svg>{note}</figure>\n"
        )
    }

    fn axes(&self) -> String {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut text = String::new();
        for (value, name) in &self.y.ticks {
            let top = self.pixel(0.0, *value).1;
            let (baseline, end) = (top + 4.0, LEFT - 6.0);
            let _ = write!(text, "<path class=\"grid\" d=\"M{LEFT} {top:.1}H{right}\"/>");
            let _ = write!(text, "<text class=\"end\" x=\"{end}\" y=\"{baseline:.1}\">{}</text>", escape(name));
        }
        let mut written = f64::NEG_INFINITY;
        for (value, name) in &self.x.ticks {
            let left = self.pixel(*value, 0.0).0;
            let baseline = bottom + 18.0;
            // The outermost texts stay inside the picture.
            let class = if left > right - 20.0 { "end" } else { "middle" };
            let _ = write!(text, "<path class=\"grid\" d=\"M{left:.1} {TOP}V{bottom}\"/>");
            // A text that would run into the one before stays away.
            if left - written < TEXT_ROOM {
                continue;
            }
            written = left;
            let _ = write!(text, "<text class=\"{class}\" x=\"{left:.1}\" y=\"{baseline}\">{}</text>", escape(name));
        }
        let (middle, below) = (f64::midpoint(LEFT, right), HEIGHT - 6.0);
        let _ = write!(text, "<text class=\"middle label\" x=\"{middle}\" y=\"{below}\">{}</text>", escape(&self.x.label));
        let y_label = escape(&self.y.label);
        let _ = write!(text, "<text class=\"label\" x=\"6\" y=\"15\">{y_label}</text>");
        text
    }

    fn mark(&mut self, element: &str) {
        self.marks.push_str(element);
    }

    fn path(&self, points: &[Point]) -> String {
        let texts: Vec<String> = points.iter().map(|(x, y)| self.pixel(*x, *y)).map(|(left, top)| format!("{left:.1} {top:.1}")).collect();
        texts.join("L")
    }

    fn pixel(&self, x: f64, y: f64) -> (f64, f64) {
        let left = LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT);
        (left, HEIGHT - BOTTOM - self.y.place(y) * (HEIGHT - TOP - BOTTOM))
    }
}

fn class(look: Look) -> String {
    format!("c{} d{}", look.colour % COLOURS, look.dash % 3)
}
