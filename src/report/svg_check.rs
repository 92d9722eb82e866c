//! Is an SVG one that viewers accept, with nothing cut off?

/// Contents of all `<text>` elements, with entities turned back.
pub(crate) fn texts(svg: &str) -> Vec<String> {
    svg.split("<text ")
        .skip(1)
        .map(|rest| {
            let inside = rest.split_once('>').unwrap().1.split_once("</text>").unwrap().0;
            plain(inside)
        })
        .collect()
}

fn plain(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.trim().to_string(), |text, (entity, one)| text.replace(entity, one))
}

/// Value of an attribute of a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

/// Fails unless tags are balanced, attributes quoted, ampersands those of entities, and everything drawn, with the
/// estimated width of words, stands within the view box.
#[track_caller]
pub(crate) fn well_formed_and_inside(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut size = (0.0, 0.0);
    for (index, piece) in svg.split('<').enumerate() {
        if index == 0 {
            assert_eq!(piece, "");
            continue;
        }
        let (tag, text) = piece
            .split_once('>')
            .unwrap_or_else(|| panic!("tag without end: {piece}"));
        assert!(!text.contains('>'), "bare >: {text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes: {tag}");
        for rest in piece.split('&').skip(1) {
            let entity = rest.split(';').next().unwrap();
            assert!(
                ["lt", "gt", "amp", "quot", "apos", "#39"].contains(&entity),
                "entity: {rest}"
            );
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closes another tag");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        if name == "svg" {
            let view: Vec<f64> = numbers(attribute(tag, "viewBox").unwrap());
            size = (view[2], view[3]);
        } else {
            inside(name, tag, &plain(text), size);
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

fn numbers(text: &str) -> Vec<f64> {
    text.split([' ', ','])
        .filter(|one| !one.is_empty())
        .map(|one| one.parse().unwrap())
        .collect()
}

#[track_caller]
fn inside(name: &str, tag: &str, text: &str, (width, height): (f64, f64)) {
    let at = |key: &str| attribute(tag, key).map_or(0.0, |value| value.parse::<f64>().unwrap());
    let corners: Vec<(f64, f64)> = match name {
        "rect" => vec![(at("x"), at("y")), (at("x") + at("width"), at("y") + at("height"))],
        "circle" => vec![
            (at("cx") - at("r"), at("cy") - at("r")),
            (at("cx") + at("r"), at("cy") + at("r")),
        ],
        "line" => vec![(at("x1"), at("y1")), (at("x2"), at("y2"))],
        "polyline" | "polygon" => numbers(attribute(tag, "points").unwrap())
            .chunks(2)
            .map(|xy| (xy[0], xy[1]))
            .collect(),
        "text" => {
            // Sans-serif letters are about half as wide as high.
            let long = 0.5 * at("font-size") * text.chars().count() as f64;
            let (before, after) = match attribute(tag, "text-anchor").unwrap() {
                "start" => (0.0, long),
                "end" => (long, 0.0),
                _ => (long / 2.0, long / 2.0),
            };
            match attribute(tag, "transform") {
                // Turned to the left: what follows goes up.
                Some(_) => vec![(at("x"), at("y") + before), (at("x"), at("y") - after)],
                None => vec![(at("x") - before, at("y")), (at("x") + after, at("y"))],
            }
        }
        _ => Vec::new(),
    };
    for (x, y) in corners {
        assert!(
            (-0.5..=width + 0.5).contains(&x) && (-0.5..=height + 0.5).contains(&y),
            "({x}, {y}) is outside of {width} x {height}: {tag} {text}"
        );
    }
}
