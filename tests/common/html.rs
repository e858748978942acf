//! Just enough HTML to read our own pages: tags, attributes, text, and what a browser would send from a form.

/// A piece of a page, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Open(String, Vec<(String, String)>),
    Close(String),
    Text(String),
}

impl Node {
    pub fn attr(&self, name: &str) -> Option<&str> {
        match self {
            Self::Open(_, attrs) => attrs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()),
            _ => None,
        }
    }
    pub fn is(&self, tag: &str) -> bool {
        matches!(self, Self::Open(name, _) if name == tag)
    }
}

pub fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';').filter(|end| *end <= 10) else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        let name = &rest[1..end];
        let number = name.strip_prefix("#x").map(|hex| u32::from_str_radix(hex, 16)).or_else(|| name.strip_prefix('#').map(str::parse));
        match (name, number.and_then(Result::ok).and_then(char::from_u32)) {
            (_, Some(c)) => out.push(c),
            ("amp", _) => out.push('&'),
            ("lt", _) => out.push('<'),
            ("gt", _) => out.push('>'),
            ("quot", _) => out.push('"'),
            ("nbsp", _) => out.push(' '),
            _ => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

pub fn nodes(html: &str) -> Vec<Node> {
    let mut all = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            all.push(Node::Text(decode(rest)));
            break;
        };
        if at > 0 {
            all.push(Node::Text(decode(&rest[..at])));
        }
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("<!--") {
            rest = after.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let end = tag_end(rest);
        let inside = rest[1..end].trim_end_matches('/');
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some(name) = inside.strip_prefix('/') {
            all.push(Node::Close(name.trim().to_lowercase()));
        } else if !inside.starts_with('!') {
            let (name, attrs) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
            let name = name.to_lowercase();
            all.push(Node::Open(name.clone(), attributes(attrs)));
            // Inside these a `<` opens nothing.
            if matches!(name.as_str(), "script" | "style" | "textarea" | "title") {
                let close = format!("</{name}");
                let until = rest.find(&close).unwrap_or(rest.len());
                if until > 0 {
                    all.push(Node::Text(decode(&rest[..until])));
                }
                rest = &rest[until..];
            }
        }
    }
    all
}

fn tag_end(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    text.len()
}

fn attributes(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = rest[..end].to_lowercase();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let (quote, body) = match after.chars().next() {
                Some(q @ ('"' | '\'')) => (Some(q), &after[1..]),
                _ => (None, after),
            };
            let end = body.find(|c: char| quote.map_or_else(|| c.is_whitespace(), |q| c == q)).unwrap_or(body.len());
            value = decode(&body[..end]);
            rest = body.get(end + usize::from(quote.is_some())..).unwrap_or_default();
        }
        if !name.is_empty() {
            all.push((name, value));
        }
        rest = rest.trim_start();
    }
    all
}

/// Every text a person reads in the page's flow.
pub fn text(html: &str) -> String {
    let mut hidden = 0usize;
    let mut out = String::new();
    for node in nodes(html) {
        match node {
            Node::Open(tag, _) if matches!(tag.as_str(), "script" | "style") => hidden += 1,
            Node::Close(tag) if matches!(tag.as_str(), "script" | "style") => hidden = hidden.saturating_sub(1),
            Node::Text(text) if hidden == 0 => {
                out.push_str(&text);
                out.push(' ');
            }
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A form as a browser would send it: what is filled in, in order.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub action: String,
    pub pairs: Vec<(String, String)>,
    /// Names of all controls, those without a value too.
    pub names: Vec<String>,
    /// The values each select offers.
    pub choices: Vec<(String, Vec<String>)>,
}

impl Form {
    /// The first POST form with this action.
    pub fn find(html: &str, action: &str) -> Option<Self> {
        Self::all(html).into_iter().find(|form| form.action == action)
    }

    pub fn all(html: &str) -> Vec<Self> {
        let nodes = nodes(html);
        let mut forms = Vec::new();
        let mut form: Option<Self> = None;
        let mut select: Option<(String, Option<String>)> = None;
        let mut area: Option<String> = None;
        for node in &nodes {
            match node {
                Node::Open(tag, _) if tag == "form" => {
                    form = Some(Self { action: node.attr("action").unwrap_or_default().to_owned(), ..Self::default() });
                }
                Node::Close(tag) if tag == "form" => forms.extend(form.take()),
                _ => {}
            }
            let Some(form) = &mut form else { continue };
            let name = node.attr("name").unwrap_or_default().to_owned();
            match node {
                Node::Open(tag, _) if tag == "input" && !name.is_empty() => {
                    let kind = node.attr("type").unwrap_or("text");
                    let value = node.attr("value").unwrap_or_default().to_owned();
                    form.names.push(name.clone());
                    let sent = match kind {
                        "submit" | "button" | "file" => false,
                        "checkbox" | "radio" => node.attr("checked").is_some(),
                        _ => true,
                    };
                    if sent {
                        form.pairs.push((name, value));
                    }
                }
                Node::Open(tag, _) if tag == "textarea" => {
                    form.names.push(name.clone());
                    area = Some(name);
                }
                Node::Text(text) if area.is_some() => {
                    let text = text.strip_prefix('\n').unwrap_or(text);
                    form.pairs.push((area.take().unwrap_or_default(), text.to_owned()));
                }
                Node::Close(tag) if tag == "textarea" => {
                    if let Some(name) = area.take() {
                        form.pairs.push((name, String::new()));
                    }
                }
                Node::Open(tag, _) if tag == "select" => {
                    form.names.push(name.clone());
                    form.choices.push((name.clone(), Vec::new()));
                    select = Some((name, None));
                }
                Node::Open(tag, _) if tag == "option" => {
                    let value = node.attr("value").unwrap_or_default().to_owned();
                    if let (Some((_, chosen)), Some((_, offered))) = (&mut select, form.choices.last_mut()) {
                        offered.push(value.clone());
                        if node.attr("selected").is_some() || chosen.is_none() {
                            *chosen = Some(value);
                        }
                    }
                }
                Node::Close(tag) if tag == "select" => {
                    if let Some((name, Some(chosen))) = select.take() {
                        form.pairs.push((name, chosen));
                    }
                }
                _ => {}
            }
        }
        forms
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The same form with another value in one of its controls.
    #[track_caller]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.pairs.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.pairs.push((name.to_owned(), value.to_owned())),
        }
        self
    }
}

#[test]
fn forms_are_read_as_a_browser_sends_them() {
    let html = r#"<form action="/a&amp;b" method="post"><input name="x" value="1 &quot;&lt;2"><input type=checkbox name=c value=y checked>
        <input type="checkbox" name="d" value="n"><textarea name="t">
line &amp; <b></textarea><select name="s"><option value="">–</option><option value="v" selected>V</option></select><button name="b">go</button></form>"#;
    let form = Form::find(html, "/a&b").unwrap();
    let pairs: Vec<(&str, &str)> = form.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("x", "1 \"<2"), ("c", "y"), ("t", "line & <b>"), ("s", "v")]);
    assert_eq!(text("<p>a <b>b</b>\n c&#39;s</p><script>no</script>"), "a b c's");
}
