//! The family as its page shows it: symbols with their words, the list beside them, and the risks as sentences.

use std::collections::HashMap;

use super::{
    Family, Relative, blood,
    pedigree::{self, BELOW, HALF, LINE, Layout},
    risk::{self, Counted, Degree, Group, Groups, Had, Risk},
    tree::{self, Node, OWN, Sex, Side, Tree, Who},
};
use crate::{access::family::KIND, page::Ui, records::view::Choice};

/// So many conditions have a pattern of their own at once: a quarter of a symbol each.
pub const PATTERNS: usize = 4;
/// Lines below a symbol for conditions.
const MOST_WORDS: usize = 3;
/// Letters that fit below a symbol, and of a name, which is heavier.
const LETTERS: usize = 21;
const NAME_LETTERS: usize = 17;
/// Lines of a name below a symbol.
const MOST_NAME_LINES: usize = 3;

pub struct Drawing {
    pub width: i32,
    pub height: i32,
    pub title: String,
    pub about: String,
    pub rows: Vec<Numeral>,
    pub symbols: Vec<Symbol>,
    pub lines: Vec<pedigree::Line>,
}

/// A generation's number at the left of its row.
pub struct Numeral {
    pub text: String,
    pub y: i32,
}

/// One symbol, drawn around its own middle.
#[expect(clippy::struct_excessive_bools, reason = "each is a mark of the drawing by itself")]
pub struct Symbol {
    pub x: i32,
    pub y: i32,
    /// `male`, `female`, `unknown`.
    pub shape: &'static str,
    pub outline: &'static str,
    /// Paths with the number of the pattern that fills them.
    pub fills: Vec<(&'static str, usize)>,
    pub is_own: bool,
    pub is_deceased: bool,
    pub is_adopted: bool,
    /// Nothing is known of this person.
    pub is_nobody: bool,
    /// In full, for a pointer that rests on it; below it stands what has room.
    pub about: String,
    pub words: Vec<Word>,
}

pub struct Word {
    pub y: i32,
    pub text: String,
    pub is_name: bool,
}

/// A condition with its pattern.
pub struct Legend {
    pub pattern: usize,
    pub name: String,
}

/// One relative in the list.
pub struct Line {
    pub number: String,
    pub name: String,
    pub href: String,
    pub relation: String,
    pub years: String,
    pub conditions: String,
    pub linked: Option<String>,
}

/// A condition and what is said of it.
pub struct RiskLine {
    pub name: String,
    pub sentences: Vec<String>,
}

pub struct FamilyView {
    pub drawing: Drawing,
    pub legend: Vec<Legend>,
    pub conditions: Vec<Choice>,
    pub lines: Vec<Line>,
    pub risks: Vec<RiskLine>,
    /// Not everybody of the list is drawn.
    pub has_loose: bool,
    pub has_adopted: bool,
    pub has_nobody: bool,
}

const SQUARE: &str = "M-20 -20H20V20H-20Z";
const CIRCLE: &str = "M0 -20A20 20 0 0 1 0 20A20 20 0 0 1 0 -20Z";
const DIAMOND: &str = "M0 -20L20 0L0 20L-20 0Z";

/// The parts of a symbol: whole, halves, quarters clockwise from the top left.
fn parts(sex: Sex, count: usize) -> &'static [&'static str] {
    match (sex, count) {
        (Sex::Male, 0 | 1) => &[SQUARE],
        (Sex::Female, 0 | 1) => &[CIRCLE],
        (Sex::Unknown, 0 | 1) => &[DIAMOND],
        (Sex::Male, 2) => &["M-20 -20H0V20H-20Z", "M0 -20H20V20H0Z"],
        (Sex::Female, 2) => &["M0 -20A20 20 0 0 0 0 20Z", "M0 -20A20 20 0 0 1 0 20Z"],
        (Sex::Unknown, 2) => &["M0 -20L-20 0L0 20Z", "M0 -20L20 0L0 20Z"],
        (Sex::Male, _) => &["M-20 -20H0V0H-20Z", "M0 -20H20V0H0Z", "M0 0H20V20H0Z", "M-20 0H0V20H-20Z"],
        (Sex::Female, _) => &[
            "M0 0L-20 0A20 20 0 0 1 0 -20Z",
            "M0 0L0 -20A20 20 0 0 1 20 0Z",
            "M0 0L20 0A20 20 0 0 1 0 20Z",
            "M0 0L0 20A20 20 0 0 1 -20 0Z",
        ],
        (Sex::Unknown, _) => &["M0 0L-20 0L0 -20Z", "M0 0L0 -20L20 0Z", "M0 0L20 0L0 20Z", "M0 0L0 20L-20 0Z"],
    }
}

/// What fits below a symbol.
fn short(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LETTERS - 1).collect();
    format!("{}…", kept.trim_end())
}

/// `IV` for 4. Nobody keeps forty generations; more are told in figures.
fn roman(number: usize) -> String {
    let tens = ["", "X", "XX", "XXX"].get(number / 10);
    let ones = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"].get(number % 10);
    tens.zip(ones).map_or_else(|| number.to_string(), |(tens, ones)| format!("{tens}{ones}"))
}

/// `1940–2001`, `b. 1940`, `d. 2001`, `deceased`.
fn years(ui: &Ui, birth: Option<i32>, death: Option<i32>, is_deceased: bool) -> String {
    match (birth, death) {
        (Some(birth), Some(death)) => format!("{birth}–{death}"),
        (None, Some(death)) => ui.t1("family.died", "year", death.to_string()),
        (Some(birth), None) if is_deceased => format!("{}, {}", ui.t1("family.born", "year", birth.to_string()), ui.t("family.deceased")),
        (Some(birth), None) => ui.t1("family.born", "year", birth.to_string()),
        (None, None) if is_deceased => ui.t("family.deceased"),
        (None, None) => String::new(),
    }
}

/// The years of a relative's life.
pub fn told_years(ui: &Ui, one: &Relative) -> String {
    years(ui, one.birth_year, one.death_year, one.is_deceased)
}

fn had_name(ui: &Ui, had: &Had) -> String {
    let sort = || had.sort.as_ref().map(|sort| ui.choice("ConditionType", sort));
    Some(had.name.clone()).filter(|name| !name.trim().is_empty()).or_else(sort).or_else(|| had.code.clone()).unwrap_or_default()
}

/// `Colorectal cancer, 44`.
fn had_short(ui: &Ui, had: &Had) -> String {
    let name = had_name(ui, had);
    let Some(age) = had.age else { return short(&name) };
    let age = format!(", {age}");
    if name.chars().count() + age.len() <= LETTERS {
        return format!("{name}{age}");
    }
    let kept: String = name.chars().take(LETTERS.saturating_sub(age.len() + 1)).collect();
    format!("{}…{age}", kept.trim_end())
}

/// The conditions one after another, with the age each was found at.
pub fn told_conditions(ui: &Ui, had: &[Had]) -> String {
    let one = |had: &Had| match had.age {
        Some(age) => ui.words.with("family.had_at", &[("condition", &had_name(ui, had)), ("age", &age.to_string())]),
        None => had_name(ui, had),
    };
    had.iter().map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

/// `Aunt, mother's side, adopted`.
pub fn told_relation(ui: &Ui, one: &Relative) -> String {
    let mut parts = vec![ui.choice("FamilyRelationship", &one.relationship)];
    let says_side = one.relationship.starts_with("paternal_")
        || one.relationship.starts_with("maternal_")
        || matches!(one.relationship.as_str(), "father" | "mother" | "brother" | "sister");
    match one.side {
        Side::Paternal if !says_side => parts.push(ui.t("family.paternal")),
        Side::Maternal if !says_side => parts.push(ui.t("family.maternal")),
        _ => {}
    }
    if one.is_adopted {
        parts.push(ui.t("family.adopted"));
    }
    parts.join(", ")
}

/// The whole page's content. `chosen` is the key of one condition, or nothing for the most frequent ones.
pub fn make(ui: &Ui, patient: &str, family: &Family, chosen: Option<&str>) -> FamilyView {
    let own = std::iter::once(family.own.had.as_slice());
    let groups = Groups::of(own.chain(family.relatives.iter().map(|one| one.had.as_slice())));
    let shown: Vec<&Group> = match chosen.and_then(|key| groups.all.iter().find(|group| group.key == key)) {
        Some(group) => vec![group],
        None => groups.all.iter().take(PATTERNS).collect(),
    };
    let told = super::told(&family.relatives);
    let tree = tree::build(family.own.sex, family.own.birth_year, &told);
    let words: Vec<Vec<(String, bool)>> = tree.nodes.iter().map(|node| words(ui, family, node)).collect();
    let layout = pedigree::draw(&tree, &words.iter().map(Vec::len).collect::<Vec<_>>());
    let numbers = numbers(&layout);
    let has_it = |had: &[Had], group: &Group| had.iter().any(|had| groups.key(had).as_ref() == Some(&group.key));
    let symbols = layout.places.iter().filter_map(|place| {
        let node = tree.nodes.get(place.node)?;
        let had = had_of(family, node);
        let affected: Vec<usize> = shown.iter().enumerate().filter(|(_, group)| has_it(had, group)).map(|(place, _)| place).collect();
        let words = words.get(place.node).map(Vec::as_slice).unwrap_or_default();
        let drawn = symbol(family, node, (place.x, place.y), shown.len(), &affected, words);
        Some(Symbol { about: symbol_about(ui, family, node), ..drawn })
    });
    FamilyView {
        drawing: Drawing {
            symbols: symbols.collect(),
            width: layout.width,
            height: layout.height,
            title: ui.t1("family.drawing", "name", &family.own.name),
            about: about(ui, family, &shown, &groups),
            rows: layout.rows.iter().enumerate().map(|(place, row)| Numeral { text: roman(place + 1), y: row.y }).collect(),
            lines: layout.lines.clone(),
        },
        legend: shown.iter().enumerate().map(|(pattern, group)| Legend { pattern, name: group_name(ui, group) }).collect(),
        conditions: conditions(ui, &groups, chosen),
        lines: lines(ui, patient, family, &tree, &numbers),
        risks: risks(ui, family, &groups, &blood::by_adoption(&tree, &told)),
        has_loose: !tree.loose.is_empty(),
        has_adopted: family.relatives.iter().any(|one| one.is_adopted),
        has_nobody: tree.nodes.iter().any(|node| node.who == Who::Nobody),
    }
}

pub fn group_name(ui: &Ui, group: &Group) -> String {
    if group.is_sort { ui.choice("ConditionType", &group.name) } else { group.name.clone() }
}

fn conditions(ui: &Ui, groups: &Groups, chosen: Option<&str>) -> Vec<Choice> {
    let choice = |group: &Group| Choice { value: group.key.clone(), label: group_name(ui, group), selected: chosen == Some(&group.key) };
    let mut all: Vec<Choice> = groups.all.iter().map(choice).collect();
    all.sort_by_key(|choice| choice.label.to_lowercase());
    all
}

fn relative<'f>(family: &'f Family, node: &Node) -> Option<&'f Relative> {
    if let Who::Relative(place) = node.who { family.relatives.get(place) } else { None }
}

fn had_of<'f>(family: &'f Family, node: &Node) -> &'f [Had] {
    match node.who {
        Who::Own => &family.own.had,
        Who::Relative(_) => relative(family, node).map(|one| one.had.as_slice()).unwrap_or_default(),
        Who::Nobody => &[],
    }
}

/// The lines below a symbol, and which of them are the name: name, years, conditions.
fn words(ui: &Ui, family: &Family, node: &Node) -> Vec<(String, bool)> {
    let (name, years) = match (node.who, relative(family, node)) {
        (Who::Own, _) => (family.own.name.clone(), years(ui, family.own.birth_year, None, family.own.is_deceased)),
        (_, Some(one)) => (one.name.clone(), years(ui, one.birth_year, one.death_year, one.is_deceased)),
        _ => return Vec::new(),
    };
    let mut lines: Vec<(String, bool)> = wrapped(&name).into_iter().map(|line| (line, true)).collect();
    let mut plain = vec![short(&years)];
    let had: Vec<String> = had_of(family, node).iter().map(|had| had_short(ui, had)).filter(|text| !text.is_empty()).collect();
    let more = had.len().saturating_sub(MOST_WORDS);
    plain.extend(had.into_iter().take(MOST_WORDS));
    if more > 0 {
        plain.push(ui.n("family.more", &i64::try_from(more).unwrap_or(i64::MAX)));
    }
    lines.extend(plain.into_iter().map(|line| (line, false)));
    lines.retain(|(line, _)| !line.is_empty());
    lines
}

/// A name on as many lines as it needs, broken at blanks and hyphens; what has no room even then is cut.
fn wrapped(name: &str) -> Vec<String> {
    let fits = |text: &str| text.chars().count() <= NAME_LETTERS;
    let mut lines: Vec<String> = Vec::new();
    for part in name.split_inclusive([' ', '-']) {
        match lines.last_mut() {
            Some(line) if fits(format!("{line}{part}").trim_end()) => line.push_str(part),
            _ => lines.push(part.to_owned()),
        }
    }
    let is_cut = lines.len() > MOST_NAME_LINES;
    lines.truncate(MOST_NAME_LINES);
    let last = lines.len().saturating_sub(1);
    let told = |(place, line): (usize, &String)| {
        let (line, is_cut) = (line.trim(), is_cut && place == last);
        if fits(line) && !is_cut {
            return line.to_owned();
        }
        let kept: String = line.chars().take(NAME_LETTERS - 1).collect();
        format!("{}…", kept.trim_end())
    };
    lines.iter().enumerate().map(told).collect()
}

fn symbol(family: &Family, node: &Node, (x, y): (i32, i32), count: usize, affected: &[usize], words: &[(String, bool)]) -> Symbol {
    let parts = parts(node.sex, count);
    let mut below = HALF + BELOW + LINE - 3;
    let word = |(text, is_name): &(String, bool)| {
        let word = Word { y: below, text: text.clone(), is_name: *is_name };
        below += LINE;
        word
    };
    Symbol {
        x,
        y,
        shape: match node.sex {
            Sex::Male => "male",
            Sex::Female => "female",
            Sex::Unknown => "unknown",
        },
        outline: match node.sex {
            Sex::Male => SQUARE,
            Sex::Female => CIRCLE,
            Sex::Unknown => DIAMOND,
        },
        fills: affected.iter().filter_map(|place| Some((*parts.get(*place)?, *place))).collect(),
        is_own: node.who == Who::Own,
        is_deceased: if node.who == Who::Own { family.own.is_deceased } else { relative(family, node).is_some_and(|one| one.is_deceased) },
        is_adopted: node.is_adopted,
        is_nobody: node.who == Who::Nobody,
        about: String::new(),
        words: words.iter().map(word).collect(),
    }
}

/// `Karl Weber, father, 1931–2001: Colorectal cancer, at 61`.
fn symbol_about(ui: &Ui, family: &Family, node: &Node) -> String {
    let parts = match (node.who, relative(family, node)) {
        (Who::Own, _) => vec![family.own.name.clone()],
        (_, Some(one)) => vec![one.name.clone(), told_relation(ui, one), told_years(ui, one)],
        _ => return ui.t("family.legend.nobody"),
    };
    let about = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let had = told_conditions(ui, had_of(family, node));
    if had.is_empty() { about } else { format!("{about}: {had}") }
}

/// `II-3`: the third of the second row.
fn numbers(layout: &Layout) -> HashMap<usize, String> {
    let mut numbers = HashMap::new();
    for (row, at) in layout.rows.iter().enumerate() {
        for (place, symbol) in layout.places.iter().filter(|place| place.y == at.y).enumerate() {
            numbers.insert(symbol.node, format!("{}-{}", roman(row + 1), place + 1));
        }
    }
    numbers
}

/// The drawing in a sentence or two, for who cannot see it; the list tells the rest.
fn about(ui: &Ui, family: &Family, shown: &[&Group], groups: &Groups) -> String {
    let count = i64::try_from(family.relatives.len()).unwrap_or(i64::MAX);
    let mut parts = vec![ui.n("family.drawn", &count)];
    for group in shown {
        let has_it = |one: &&Relative| one.had.iter().any(|had| groups.key(had).as_ref() == Some(&group.key));
        let names: Vec<&str> = family.relatives.iter().filter(has_it).map(|one| one.name.as_str()).collect();
        if !names.is_empty() {
            parts.push(format!("{}: {}.", group_name(ui, group), names.join(", ")));
        }
    }
    parts.push(ui.t("family.list_below"));
    parts.join(" ")
}

/// Everybody in the order of the drawing, those who are not drawn at the end.
fn lines(ui: &Ui, patient: &str, family: &Family, tree: &Tree, numbers: &HashMap<usize, String>) -> Vec<Line> {
    let line = |one: &Relative, number: String| Line {
        number,
        name: one.name.clone(),
        href: format!("/patients/{patient}/{}/{}", KIND, one.record),
        relation: told_relation(ui, one),
        years: years(ui, one.birth_year, one.death_year, one.is_deceased),
        conditions: told_conditions(ui, &one.had),
        linked: one.linked.as_ref().map(|id| format!("/patients/{id}")),
    };
    let mut drawn: Vec<(i32, &String, &Relative)> = tree
        .nodes
        .iter()
        .enumerate()
        .skip(OWN + 1)
        .filter_map(|(place, node)| Some((node.generation, numbers.get(&place)?, relative(family, node)?)))
        .collect();
    let place = |number: &str| number.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
    drawn.sort_by_key(|(generation, number, _)| (*generation, place(number)));
    let loose = tree.loose.iter().filter_map(|place| family.relatives.get(*place)).map(|one| line(one, String::new()));
    drawn.into_iter().map(|(_, number, one)| line(one, number.clone())).chain(loose).collect()
}

fn risks(ui: &Ui, family: &Family, groups: &Groups, by_adoption: &[bool]) -> Vec<RiskLine> {
    let counted: Vec<Counted<'_>> = family
        .relatives
        .iter()
        .zip(by_adoption)
        .map(|(one, by_adoption)| Counted { relation: one.relation, side: one.side, by_adoption: *by_adoption, had: &one.had })
        .collect();
    risk::summary(groups, &counted).iter().map(|risk| risk_line(ui, risk)).collect()
}

fn risk_line(ui: &Ui, risk: &Risk) -> RiskLine {
    let name = group_name(ui, &risk.group);
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut sentences: Vec<String> = risk.lines.iter().map(|line| sentence(ui, line)).collect();
    if risk.adopted > 0 {
        sentences.push(ui.n("family.risk.adopted", &count(risk.adopted)));
    }
    if risk.other > 0 {
        sentences.push(ui.n("family.risk.other_relatives", &count(risk.other)));
    }
    RiskLine { name, sentences }
}

/// `2 of 4 known first-degree relatives, youngest at 44, on the mother's side`.
fn sentence(ui: &Ui, line: &risk::Line) -> String {
    let known = i64::try_from(line.known).unwrap_or(i64::MAX);
    let counted = match line.degree {
        Degree::First => ui.n("family.risk.first", &known),
        Degree::Second => ui.n("family.risk.second", &known),
        Degree::Third => ui.n("family.risk.third", &known),
    };
    let affected = i64::try_from(line.affected).unwrap_or(i64::MAX);
    let mut text = counted.replace("{affected}", &ui.number(&affected));
    if let Some(age) = line.youngest {
        let key = if line.affected == 1 { ui.t("family.risk.at") } else { ui.t("family.risk.youngest") };
        text = format!("{text}, {}", key.replace("{age}", &age.to_string()));
    }
    let side = match (line.paternal, line.maternal) {
        (n, _) if n == line.affected => ui.t("family.risk.paternal"),
        (_, n) if n == line.affected => ui.t("family.risk.maternal"),
        (1.., 1..) => ui.t("family.risk.both_sides"),
        _ => return text,
    };
    format!("{text}, {side}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_told_on_several_lines() {
        assert_eq!(wrapped("Karl-Heinz Weber"), ["Karl-Heinz Weber"]);
        assert_eq!(wrapped("Ingeborg Wolkenstein-Rodenegg"), ["Ingeborg", "Wolkenstein-", "Rodenegg"]);
        assert_eq!(
            wrapped("Friedrich-Wilhelm von Hohenstein-Schillingsfürst"),
            ["Friedrich-Wilhelm", "von Hohenstein-", "Schillingsfürst"]
        );
        assert_eq!(
            wrapped("One Two Three Four Five Six Seven Eight Nine Ten Eleven"),
            ["One Two Three", "Four Five Six", "Seven Eight Nine…"]
        );
        assert_eq!(wrapped("Donaudampfschifffahrtsgesellschaft"), ["Donaudampfschiff…"]);
        assert!(wrapped("").concat().is_empty());
    }
}
