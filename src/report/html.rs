//! A report as one HTML file: figures inline, no script, nothing fetched, fit for print.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use super::Panels;
use super::dark::{DARK_GROUND, dark_counterparts};
use super::escape::escaped;

/// A report: what a reader should know first, sections, and where every number comes from.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Title.
    pub title: String,
    /// What was found, in a sentence or two.
    pub lead: String,
    /// The body.
    pub sections: Vec<Section>,
    /// Names and values: inputs, seed, datasets, versions, which values are measured, simulated or predicted.
    pub provenance: Vec<(String, String)>,
}

/// A heading and what stands below it.
#[derive(Debug, Clone)]
pub struct Section {
    /// Heading.
    pub heading: String,
    /// What stands below it.
    pub blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Debug, Clone)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A figure.
    Figure {
        /// An SVG drawn by this crate; it is not escaped.
        svg: String,
        /// What it shows and how to read it.
        caption: String,
    },
    /// A figure of several small ones, side by side where there is room.
    Panels {
        /// The drawings.
        panels: Panels,
        /// What they show and how to read them.
        caption: String,
    },
    /// A table.
    Table(Table),
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What it holds and in which units.
    pub caption: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Cells, as many per row as there are columns. A column whose cells all start like numbers is set to the right.
    pub rows: Vec<Vec<String>>,
}

/// Cells of columns that hold at most so many characters are not broken into lines.
const UNBROKEN: usize = 26;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;color:#111;background:#fff;max-width:1060px;margin:2rem auto;padding:0 1rem}\
h1{line-height:1.2;margin-bottom:.3em}h2{margin-top:2em;border-bottom:1px solid #bbb}\
.lead{font-size:1.15em}\
figure{margin:1.5em 0}figure svg{display:block;max-width:100%;height:auto}\
.panels{display:flex;flex-wrap:wrap}\
figcaption,caption{color:#333;font-size:.9em;text-align:left;margin-top:.4em;max-width:min(52em,92vw)}\
caption{margin:0 0 .4em}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;font-size:.88em;margin:1.2em 0;font-variant-numeric:tabular-nums}\
th,td{padding:.25em .7em;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}\
thead th{border-bottom:2px solid #555}\
.number{text-align:right}td.number,td.short{white-space:nowrap}.long{min-width:20em;overflow-wrap:anywhere}\
nav ul{padding-left:1.2em}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3em 1.2em;font-size:.9em}dt{font-weight:600}\
dd{margin:0;overflow-wrap:anywhere}\
@media print{@page{margin:15mm}body{max-width:none;margin:0;padding:0;font-size:10.5pt}nav{display:none}\
figure,tr{break-inside:avoid}h2,caption{break-after:avoid}thead{display:table-header-group}.wide{overflow:visible}table{font-size:8pt}th,td{padding:.2em .5em}.long{min-width:14em}\
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\
@media screen and (max-width:700px){figure{overflow-x:auto}figure>svg{max-width:none}}";

/// Where the reader's screen is dark, figures and all; paper stays white.
fn dark_style() -> String {
    let mut style = format!(
        "@media screen and (prefers-color-scheme:dark){{body{{color:#e6e6e6;background:{}}}figcaption,caption{{color:#c4c4c4}}\
         th,td{{border-color:#444}}thead th{{border-color:#999}}h2{{border-color:#666}}",
        hex(DARK_GROUND)
    );
    for (light, dark) in dark_counterparts() {
        for attribute in ["fill", "stroke"] {
            let _ = write!(
                style,
                "svg [{attribute}=\"{}\"]{{{attribute}:{}}}",
                hex(light),
                hex(dark)
            );
        }
    }
    style + "}"
}

/// A colour as drawings spell it.
fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

impl Page {
    /// The page as one file.
    pub fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>{STYLE}{}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
             <p class=\"lead\">{}</p>\n",
            dark_style(),
            escaped(&self.lead)
        );
        html.push_str("<nav aria-label=\"Contents\"><ul>\n");
        let headings = self.sections.iter().map(|section| section.heading.as_str());
        for (index, heading) in headings.clone().chain([PROVENANCE]).enumerate() {
            // Writing to a string cannot fail.
            let _ = writeln!(html, "<li><a href=\"#s{index}\">{}</a></li>", escaped(heading));
        }
        html.push_str("</ul></nav>\n");
        for (index, section) in self.sections.iter().enumerate() {
            let heading = escaped(&section.heading);
            let _ = writeln!(html, "<section>\n<h2 id=\"s{index}\">{heading}</h2>");
            section.blocks.iter().for_each(|block| block.write(&mut html));
            html.push_str("</section>\n");
        }
        let _ = writeln!(
            html,
            "<section>\n<h2 id=\"s{}\">{PROVENANCE}</h2>\n<dl>",
            self.sections.len()
        );
        for (name, value) in &self.provenance {
            let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
        }
        html.push_str("</dl>\n</section>\n</body>\n</html>\n");
        html
    }
}

const PROVENANCE: &str = "Where these numbers come from";

impl Block {
    fn write(&self, html: &mut String) {
        let _ = match self {
            Block::Text(text) => writeln!(html, "<p>{}</p>", escaped(text)),
            Block::Figure { svg, caption } => {
                writeln!(
                    html,
                    "<figure>\n{svg}<figcaption>{}</figcaption>\n</figure>",
                    escaped(caption)
                )
            }
            Block::Panels { panels, caption } => {
                writeln!(
                    html,
                    "<figure>\n{}<div class=\"panels\">\n{}</div>\n<figcaption>{}</figcaption>\n</figure>",
                    panels.legend.as_deref().unwrap_or_default(),
                    panels.svgs.concat(),
                    escaped(caption)
                )
            }
            Block::Table(table) => {
                table.write(html);
                Ok(())
            }
        };
    }
}

impl Table {
    fn write(&self, html: &mut String) {
        let classes: Vec<&str> = (0..self.header.len()).map(|column| self.class(column)).collect();
        let class = |column: usize| classes.get(column).copied().unwrap_or_default();
        let _ = write!(
            html,
            "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>",
            escaped(&self.caption)
        );
        for (column, name) in self.header.iter().enumerate() {
            let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(column), escaped(name));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let _ = write!(html, "<td{}>{}</td>", class(column), escaped(cell));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table></div>\n");
    }

    /// Numbers stand to the right, and only long words are broken.
    fn class(&self, column: usize) -> &'static str {
        let mut lengths = self
            .rows
            .iter()
            .filter_map(|row| Some(row.get(column)?.chars().count()));
        match (self.is_numeric(column), lengths.all(|length| length <= UNBROKEN)) {
            (true, _) => " class=\"number\"",
            (false, true) => " class=\"short\"",
            (false, false) => " class=\"long\"",
        }
    }

    fn is_numeric(&self, column: usize) -> bool {
        let starts_like_number = |cell: &String| {
            let digits = cell.strip_prefix(['-', '−']).unwrap_or(cell);
            cell == "–" || digits.starts_with(|first: char| first.is_ascii_digit())
        };
        let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(starts_like_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(hostile: &str) -> Page {
        Page {
            title: hostile.into(),
            lead: hostile.into(),
            sections: vec![Section {
                heading: hostile.into(),
                blocks: vec![
                    Block::Text(hostile.into()),
                    Block::Figure {
                        svg: "<svg></svg>".into(),
                        caption: hostile.into(),
                    },
                    Block::Table(Table {
                        caption: hostile.into(),
                        header: vec![hostile.into()],
                        rows: vec![vec![hostile.into()]],
                    }),
                ],
            }],
            provenance: vec![(hostile.into(), hostile.into())],
        }
    }

    #[test]
    fn nothing_from_the_data_becomes_markup() {
        let html = page("</td><script src=\"http://x\">'&").html();
        assert!(!html.contains("<script"), "{html}");
        // Title twice, lead, heading twice, paragraph, two captions, header, cell, and both of the provenance.
        assert_eq!(
            html.matches("&lt;/td&gt;&lt;script src=&quot;http://x&quot;&gt;&#39;&amp;")
                .count(),
            12
        );
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        let html = page("plain").html();
        for outside in [
            "http://", "https://", "url(", "@import", "<script", "<link", "src=", " onload",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("default-src 'none'"));
    }

    #[test]
    fn dark_screens_get_dark_figures_and_paper_stays_white() {
        let html = page("plain").html();
        let (before, dark) = html
            .split_once("@media screen and (prefers-color-scheme:dark){")
            .unwrap();
        assert!(before.contains("background:#fff"));
        for rule in [
            "svg [fill=\"#FFFFFF\"]{fill:#161616}",
            "svg [fill=\"#000000\"]{fill:#E6E6E6}",
        ] {
            assert!(dark.contains(rule), "{rule}");
        }
        // A drawing spells colours as the rules do.
        let drawn = super::super::canvas::svg("t", (10, 10), |_| Ok(())).unwrap();
        assert!(drawn.contains("fill=\"#FFFFFF\""), "{drawn}");
    }

    #[test]
    fn several_drawings_stand_side_by_side() {
        let mut html = String::new();
        Block::Panels {
            panels: Panels {
                legend: Some("<svg>legend</svg>".into()),
                svgs: vec!["<svg></svg>".to_string(); 3],
            },
            caption: "1 < 2".into(),
        }
        .write(&mut html);
        let expected = "<figure>\n<svg>legend</svg><div class=\"panels\">\n<svg></svg><svg></svg><svg></svg></div>\n\
                        <figcaption>1 &lt; 2</figcaption>\n</figure>\n";
        assert_eq!(html, expected);
    }

    #[test]
    fn tags_are_balanced() {
        let html = page("plain").html();
        for tag in [
            "html", "head", "body", "nav", "ul", "li", "section", "figure", "table", "thead", "tbody", "tr", "dl",
        ] {
            let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
            let opened = html.matches(&format!("{open}>")).count() + html.matches(&format!("{open} ")).count();
            assert_eq!(opened, html.matches(&close).count(), "{tag}");
            assert!(opened > 0, "{tag}");
        }
    }

    #[test]
    fn columns_of_numbers_stand_to_the_right() {
        let table = Table {
            caption: String::new(),
            header: vec!["device".into(), "ms".into(), "empty".into()],
            rows: vec![
                vec!["a".into(), "1.5 [1.2, 1.9]".into(), "–".into()],
                vec!["1080ti".into(), "-3".into(), "x".into()],
            ],
        };
        assert_eq!([0, 1, 2].map(|column| table.is_numeric(column)), [false, true, false]);
        assert!(!Table::default().is_numeric(0));
        assert_eq!(table.class(0), " class=\"short\"");
    }

    #[test]
    fn control_characters_are_dropped() {
        assert_eq!(escaped("a\u{0}b\u{1b}[0m\n"), "ab[0m\n");
    }
}
