//! A plot as SVG: axes, lines and bars.

use std::fmt::{self, Display, Write as _};

use super::escape::escaped;
use super::scale::Scale;

/// A plot under construction. Writing to it does not fail.
pub(super) struct Plot {
    svg: String,
    x: Scale,
    y: Scale,
}

/// How a line is drawn: classes of the style sheet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stroke {
    Main,
    Second,
}

impl Plot {
    /// Begins a plot with a description for those who do not see it.
    pub(super) fn new(description: &str, x: Scale, y: Scale) -> Self {
        let mut plot = Self {
            svg: String::new(),
            x,
            y,
        };
        let description = escaped(description);
        plot.put(format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{description}\">\n"
        ));
        plot
    }

    /// Draws the vertical axis, with lines across the plot.
    pub(super) fn vertical_axis(&mut self, name: impl Fn(f64) -> String) {
        for tick in self.y.ticks() {
            let y = self.y_of(tick);
            let (text, right) = (escaped(&name(tick)), WIDTH - RIGHT);
            self.put(format_args!(
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>\
                 <text class=\"y\" x=\"{}\" y=\"{y:.1}\">{text}</text>\n",
                LEFT - 8.0
            ));
        }
    }

    /// Draws the horizontal axis, with names at these numbers.
    pub(super) fn horizontal_axis(&mut self, ticks: impl IntoIterator<Item = (f64, String)>) {
        let bottom = HEIGHT - BOTTOM;
        for (tick, name) in ticks {
            let (x, name) = (self.x_of(tick), escaped(&name));
            self.put(format_args!(
                "<path class=\"tick\" d=\"M{x:.1} {bottom}v5\"/>\
                 <text class=\"x\" x=\"{x:.1}\" y=\"{}\">{name}</text>\n",
                bottom + 20.0
            ));
        }
        let right = WIDTH - RIGHT;
        self.put(format_args!(
            "<path class=\"axis\" d=\"M{LEFT} {bottom}H{right}\"/>\n"
        ));
    }

    /// Draws a line through points; a point that is missing is a gap.
    pub(super) fn line(&mut self, stroke: Stroke, points: &[(f64, Option<f64>)]) {
        let path = self.path(points);
        let class = stroke.class();
        self.put(format_args!(
            "<path class=\"line {class}\" d=\"{path}\"/>\n"
        ));
    }

    /// Fills what is beneath a line without gaps.
    pub(super) fn area(&mut self, points: &[(f64, Option<f64>)]) {
        let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
            return;
        };
        let (path, bottom) = (self.path(points), HEIGHT - BOTTOM);
        let (first, last) = (self.x_of(*first), self.x_of(*last));
        self.put(format_args!(
            "<path class=\"area\" d=\"{path}L{last:.1} {bottom}L{first:.1} {bottom}Z\"/>\n"
        ));
    }

    /// Draws a bar from the bottom, which says `title` where it is pointed at.
    pub(super) fn bar(&mut self, (from, to): (f64, f64), height: f64, title: &str) {
        let (left, right, y) = (self.x_of(from), self.x_of(to), self.y_of(height));
        let (width, tall) = ((right - left - 1.0).max(0.5), HEIGHT - BOTTOM - y);
        let title = escaped(title);
        self.put(format_args!(
            "<g class=\"hint\"><title>{title}</title><rect class=\"bar\" x=\"{left:.1}\" y=\"{y:.1}\" \
             width=\"{width:.1}\" height=\"{tall:.1}\"/>"
        ));
        self.reach(left, right);
    }

    /// Has the part of the plot between two numbers say `title` where it is pointed at.
    pub(super) fn hint(&mut self, (from, to): (f64, f64), title: &str) {
        let (left, right, title) = (self.x_of(from), self.x_of(to), escaped(title));
        self.put(format_args!("<g class=\"hint\"><title>{title}</title>"));
        self.reach(left, right);
    }

    /// Names lines, at the top.
    pub(super) fn legend(&mut self, names: &[(Stroke, &str)]) {
        let mut x = LEFT;
        for (stroke, name) in names {
            let class = stroke.class();
            self.put(format_args!(
                "<path class=\"line {class}\" d=\"M{x:.1} 10h22\"/>\
                 <text class=\"name\" x=\"{:.1}\" y=\"10\">{name}</text>\n",
                x + 28.0
            ));
            x += FOR_NAME;
        }
    }

    /// Ends the plot.
    pub(super) fn end(mut self) -> String {
        self.put(format_args!("</svg>\n"));
        self.svg
    }

    fn path(&self, points: &[(f64, Option<f64>)]) -> String {
        let (mut path, mut is_drawing) = (String::new(), false);
        for (x, y) in points {
            let Some(y) = y else {
                is_drawing = false;
                continue;
            };
            let command = if is_drawing { 'L' } else { 'M' };
            let _ = write!(path, "{command}{:.1} {:.1}", self.x_of(*x), self.y_of(*y));
            is_drawing = true;
        }
        path
    }

    /// Ends what is pointed at with the whole height of the plot.
    fn reach(&mut self, left: f64, right: f64) {
        let (width, tall) = (right - left, HEIGHT - BOTTOM - TOP);
        self.put(format_args!(
            "<rect class=\"reach\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{tall}\"/></g>\n"
        ));
    }

    fn x_of(&self, number: f64) -> f64 {
        LEFT + self.x.place(number) * (WIDTH - LEFT - RIGHT)
    }

    fn y_of(&self, number: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(number) * (HEIGHT - BOTTOM - TOP)
    }

    fn put(&mut self, svg: fmt::Arguments<'_>) {
        let _ = self.svg.write_fmt(svg);
    }
}

impl Stroke {
    fn class(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Second => "second",
        }
    }
}

/// Returns a plot with a heading and what it shows.
pub(super) fn figure(title: &str, caption: impl Display, plot: Plot) -> String {
    let plot = plot.end();
    format!(
        "<figure class=\"card\"><h2>{title}</h2>\n{plot}<figcaption>{}</figcaption></figure>\n",
        escaped(&caption.to_string())
    )
}

// So wide that the text can be read on a phone, where a plot has the whole width.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 34.0;
/// How much room a line has in the legend.
const FOR_NAME: f64 = 125.0;
