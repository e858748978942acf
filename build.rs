//! Packs the code lists of `data/` for `src/codes/packed.rs`, which embeds what this leaves in `OUT_DIR/codes`.
//!
//! Each list becomes seven small tables (see [`pack`]); nothing is left to do when the program starts.

#[path = "src/codes/fold.rs"]
mod fold;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// One line of a list, ready to be packed.
struct Row {
    /// The code without its dot; empty in lists without codes.
    key: String,
    /// What the list tells of it, column by column.
    columns: Vec<String>,
    /// How far down it belongs among equally good matches.
    weight: usize,
}

/// Letters of the longest key: an ICD-10-CM code has at most seven.
const KEY_WIDTH: usize = 7;

fn main() -> Outcome {
    let data = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("data");
    let out = PathBuf::from(env::var("OUT_DIR")?).join("codes");
    fs::create_dir_all(&out)?;
    for name in ["icd10cm.csv.gz", "fda_products.csv.gz", "fda_allergens.csv", "everyday_allergens.csv"] {
        println!("cargo::rerun-if-changed={}", data.join(name).display());
    }
    let products = lines(&data.join("fda_products.csv.gz"))?;
    pack(&out, "icd10", 1, &icd10(&lines(&data.join("icd10cm.csv.gz"))?, &out)?)?;
    pack(&out, "medicines", 3, &medicines(&products)?)?;
    pack(&out, "allergens", 2, &allergens(&data, &products)?)
}

/// The lines of a CSV file below its header, unpacked if it ends in `.gz`.
fn lines(path: &Path) -> Outcome<Vec<csv::StringRecord>> {
    let file = fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text: Box<dyn std::io::Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(flate2::read::GzDecoder::new(file)),
        _ => Box::new(file),
    };
    Ok(csv::Reader::from_reader(text).records().collect::<Result<_, _>>()?)
}

fn cell(line: &csv::StringRecord, column: usize) -> &str {
    line.get(column).unwrap_or_default()
}

// ICD-10-CM

/// The rows in the order of their codes. Writes the block of each category (`J40-J4A`) beside them; every other parent follows
/// from the code.
fn icd10(lines: &[csv::StringRecord], out: &Path) -> Outcome<Vec<Row>> {
    let spoken = spoken(lines.iter().flat_map(|line| cell(line, 1).split_whitespace()));
    let mut rows: Vec<Row> = lines
        .iter()
        .map(|line| {
            let key = cell(line, 0).replace('.', "");
            let description = cell(line, 1).replace('\t', " ");
            let billable = cell(line, 2) == "1";
            let words = cell(line, 1).split_whitespace().filter_map(|piece| spoken.get(piece)).flatten();
            let weight = icd10_weight(&key, &words.map(String::as_str).collect::<Vec<_>>(), billable);
            let mark = if billable { "1" } else { "0" };
            Row { key, columns: vec![description, mark.to_owned()], weight }
        })
        .collect();
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    let categories = lines.iter().filter(|line| cell(line, 0).len() == 3);
    let blocks: Vec<String> = categories.map(|line| format!("{} {}", cell(line, 0), cell(line, 3))).collect();
    fs::write(out.join("icd10.blocks"), blocks.join("\n"))?;
    Ok(rows)
}

/// Short and billable first; accidents, injuries, pregnancy and history after the illness itself.
fn icd10_weight(key: &str, words: &[&str], billable: bool) -> usize {
    let chapter = match key.chars().next() {
        Some('V'..='Y') => 14,
        Some('S' | 'T') => 6,
        Some('O' | 'P') => 5,
        Some('Z') => 4,
        Some('Q') => 2,
        _ => 0,
    };
    let aside = words
        .iter()
        .map(|word| match *word {
            "sequela" | "subsequent" => 6,
            "elsewhere" | "family" => 4,
            "other" | "underdosing" => 1,
            _ => 0,
        })
        .sum::<usize>();
    let significant = words.iter().filter(|word| !fold::NEUTRAL.contains(*word)).count();
    2 * significant + usize::from(!billable) + chapter + aside
}

// Medicines

/// What tells one medicine from another: folded brand, ingredients, form, route.
type MedicineKey = (String, String, String, String);

#[derive(Default)]
struct Medicine {
    /// Spellings of the brand with the number of listings that use each.
    brands: BTreeMap<String, usize>,
    strengths: Vec<String>,
    listings: usize,
}

/// One row a name, form and route: coatings, the order of ingredients and a brand's capitals make no other medicine.
fn medicines(lines: &[csv::StringRecord]) -> Outcome<Vec<Row>> {
    let orders = orders(lines)?;
    let mut found: BTreeMap<MedicineKey, Medicine> = BTreeMap::new();
    for line in lines {
        let ingredients = cell(line, 0);
        let order = orders.get(&sorted(ingredients)).copied().unwrap_or(ingredients);
        let brand = if fold::words(cell(line, 1)) == fold::words(ingredients) { "" } else { cell(line, 1) };
        let key = (fold::words(brand).join(" "), order.to_owned(), without_coating(cell(line, 2)), distinct(cell(line, 3)));
        let listings: usize = cell(line, 6).parse()?;
        let medicine = found.entry(key).or_default();
        *medicine.brands.entry(capitalised(brand)).or_default() += listings;
        medicine.listings += listings;
        medicine.strengths.extend(cell(line, 4).split('|').map(|strength| reordered(strength, ingredients, order)));
    }
    Ok(found.into_iter().map(|((_, ingredients, form, route), medicine)| medicine_row(ingredients, form, route, &medicine)).collect())
}

/// For each set of ingredients the order in which most listings name them.
fn orders(lines: &[csv::StringRecord]) -> Outcome<HashMap<Vec<&str>, &str>> {
    let mut listings: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        *listings.entry(cell(line, 0)).or_default() += cell(line, 6).parse::<usize>()?;
    }
    let mut rising: Vec<(&str, usize)> = listings.into_iter().collect();
    rising.sort_by_key(|(_, listings)| *listings);
    Ok(rising.into_iter().map(|(ingredients, _)| (sorted(ingredients), ingredients)).collect())
}

fn sorted(ingredients: &str) -> Vec<&str> {
    let mut sorted: Vec<&str> = ingredients.split("; ").collect();
    sorted.sort_unstable();
    sorted
}

/// A strength given for the ingredients in one order, told in another.
fn reordered(strength: &str, from: &str, to: &str) -> String {
    let mut parts: Vec<(&str, &str)> = from.split("; ").zip(strength.split(" / ")).collect();
    if from == to || parts.len() != strength.split(" / ").count() {
        return strength.to_owned();
    }
    let take = |name: &str| parts.iter().position(|(ingredient, _)| *ingredient == name).map(|place| parts.remove(place).1);
    to.split("; ").filter_map(take).collect::<Vec<_>>().join(" / ")
}

/// Many listings first: the medicines people take have hundreds, an odd one has one.
fn medicine_row(ingredients: String, form: String, route: String, medicine: &Medicine) -> Row {
    let brand = medicine.brands.iter().max_by_key(|(_, listings)| **listings).map(|(brand, _)| brand.clone()).unwrap_or_default();
    let words = fold::words(&brand).len() + fold::words(&ingredients).len();
    let common = usize::try_from(medicine.listings.max(1).ilog2()).unwrap_or_default();
    let weight = (40 + 2 * words).saturating_sub(3 * common);
    let columns = vec![brand, ingredients, form, route, strengths(&medicine.strengths)];
    Row { key: String::new(), columns, weight }
}

/// `tablet, film coated` is a tablet; `extended release` and the like stay, they matter to who takes it.
fn without_coating(form: &str) -> String {
    const COATINGS: &[&str] = &["film coated", "coated", "sugar coated", "gelatin coated", "liquid filled"];
    form.split(", ").filter(|part| !COATINGS.contains(part)).collect::<Vec<_>>().join(", ")
}

/// `oral; oral` is `oral`.
fn distinct(routes: &str) -> String {
    let mut seen = Vec::new();
    for route in routes.split("; ").filter(|route| !route.is_empty()) {
        if !seen.contains(&route) {
            seen.push(route);
        }
    }
    seen.join("; ")
}

/// All strengths in plain writing, the smallest first, separated by `|`.
fn strengths(listed: &[String]) -> String {
    let sound: Vec<&String> = listed.iter().filter(|strength| !is_slip(strength)).collect();
    let kept = if sound.is_empty() { listed.iter().collect() } else { sound };
    let mut plain: Vec<String> =
        kept.into_iter().filter(|strength| !strength.is_empty()).map(|strength| plain_strength(strength)).collect();
    plain.sort_by(|one, other| by_amount(one, other));
    plain.dedup();
    plain.join("|")
}

fn by_amount(one: &str, other: &str) -> std::cmp::Ordering {
    let amount = |part: &str| part.split(' ').next().and_then(|number| number.parse::<f64>().ok()).unwrap_or_default();
    let mut pairs = one.split(" / ").zip(other.split(" / "));
    let differing = pairs.find_map(|(one, other)| Some(amount(one).total_cmp(&amount(other))).filter(|order| order.is_ne()));
    differing.unwrap_or_else(|| one.cmp(other))
}

/// Strengths that a lister wrote down wrongly: a package of thirty (`10 mg/301`) or the tablet's own weight
/// (`25 mg/25mg`) as the denominator, no unit (`10 1/1`).
fn is_slip(strength: &str) -> bool {
    strength.split(" / ").any(|part| {
        let (amount, per) = part.split_once('/').unwrap_or((part, ""));
        let package = per.len() > 1 && per.chars().all(|c| c.is_ascii_digit());
        amount.ends_with(" 1") || package || (amount.ends_with(" mg") && per.ends_with("mg"))
    })
}

/// `300 mg/1` is `300 mg`, `.5 ug/5mL` is `0.5 mcg/5 mL`; several ingredients are parted by ` / `.
fn plain_strength(strength: &str) -> String {
    strength.split(" / ").map(plain_part).collect::<Vec<_>>().join(" / ")
}

fn plain_part(part: &str) -> String {
    let (amount, per) = part.split_once('/').unwrap_or((part, "1"));
    let (number, unit) = amount.split_once(' ').unwrap_or((amount, ""));
    let amount = match unit {
        "" | "1" => with_zero(number),
        _ => format!("{} {}", with_zero(number), plain_unit(unit)),
    };
    let digits = per.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(per.len());
    let (count, unit) = per.split_at(digits);
    match (count, unit) {
        ("1" | "", "") => amount,
        // A denominator without unit is written as its count and the unit `1`: `100 ug/81` is a hundred in eight.
        (count, "") => format!("{amount} per {}", count.strip_suffix('1').unwrap_or(count)),
        ("", unit) => format!("{amount}/{}", plain_unit(unit)),
        (count, unit) => format!("{amount}/{} {}", with_zero(count), plain_unit(unit)),
    }
}

fn with_zero(number: &str) -> String {
    if number.starts_with('.') { format!("0{number}") } else { number.to_owned() }
}

fn plain_unit(unit: &str) -> &str {
    match unit {
        "ug" => "mcg",
        "meq" => "mEq",
        "d" => "day",
        "U" => "units",
        "[iU]" => "IU",
        "[USP'U]" => "USP units",
        "[arb'U]" => "arbitrary units",
        "[Amb'a'1'U]" => "Amb a 1 units",
        _ => unit.trim_start_matches('[').trim_end_matches(']'),
    }
}

// Allergens

/// Everyday allergens first, then medicines' ingredients, then the substances of allergen extracts.
fn allergens(data: &Path, products: &[csv::StringRecord]) -> Outcome<Vec<Row>> {
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    let mut add = |name: &str, also: &str, category: &str, weight: usize| {
        let words = fold::words(name);
        let weight = weight + 2 * words.len();
        if seen.insert(words) {
            let columns = vec![capitalised(name), also.to_owned(), category.to_owned()];
            rows.push(Row { key: String::new(), columns, weight });
        }
    };
    for line in lines(&data.join("everyday_allergens.csv"))? {
        add(cell(&line, 0), cell(&line, 1), cell(&line, 2), 0);
    }
    for line in lines(&data.join("fda_allergens.csv"))? {
        let name = cell(&line, 0);
        add(name, "", category_of(name), 20);
    }
    for (ingredient, listings) in ingredients(products)? {
        let common = usize::try_from(listings.max(1).ilog2()).unwrap_or_default();
        add(ingredient, "", "medicine", 20_usize.saturating_sub(common));
    }
    Ok(rows)
}

/// The list of extracts tells no category; where the name does, it is used.
fn category_of(substance: &str) -> &'static str {
    const ENVIRONMENT: &[&str] = &["pollen", "hair", "feather", "skin", "dander", "dust"];
    let environment = fold::words(substance).iter().any(|word| ENVIRONMENT.contains(&word.as_str()) || word == "venom");
    if environment { "environment" } else { "" }
}

/// Each ingredient of the medicines with the number of listings; extracts for allergy tests are left out.
fn ingredients(products: &[csv::StringRecord]) -> Outcome<BTreeMap<&str, usize>> {
    let mut found = BTreeMap::new();
    for line in products.iter().filter(|line| !["intradermal", "percutaneous"].iter().any(|route| cell(line, 3).contains(route))) {
        let listings: usize = cell(line, 6).parse()?;
        for ingredient in cell(line, 0).split("; ") {
            *found.entry(ingredient).or_default() += listings;
        }
    }
    Ok(found)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

// Packing

/// Writes a list's tables; the words of its first `searched` columns can be found.
///
/// * `keys`: the codes, seven letters each, filled up with blanks; `weights`: a byte a row
/// * `rows`: a row's text as numbers of pieces; a piece is what stands between two blanks, 0 ends a column
/// * `pieces`: their text, the frequent ones first; `spoken`: the numbers of the words in a piece
/// * `words`: sorted; `postings`: the rows a word occurs in, as distances
fn pack(out: &Path, list: &str, searched: usize, rows: &[Row]) -> Outcome {
    let write = |name: &str, bytes: Vec<u8>| fs::write(out.join(format!("{list}.{name}")), bytes);
    let pieces = pieces(rows);
    let spoken = spoken(pieces.iter().copied());
    let postings = postings(rows, searched, &spoken);
    let words: HashMap<&str, usize> = postings.keys().enumerate().map(|(number, word)| (*word, number)).collect();
    let in_piece = |piece: &&str| numbered(spoken.get(piece).into_iter().flatten().filter_map(|word| words.get(word.as_str()).copied()));
    let weights = rows.iter().map(|row| u8::try_from(row.weight).unwrap_or(u8::MAX)).collect();
    let keys = rows.iter().filter(|row| !row.key.is_empty()).map(|row| format!("{:KEY_WIDTH$}", row.key));
    write("keys", keys.collect::<Vec<_>>().concat().into_bytes())?;
    write("weights", weights)?;
    write("rows", table(texts(rows, &pieces))?)?;
    write("spoken", table(pieces.iter().map(in_piece).collect())?)?;
    write("pieces", table(pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect())?)?;
    write("words", table(postings.keys().map(|word| word.as_bytes().to_vec()).collect())?)?;
    write("postings", table(postings.values().map(|rows| numbered(distances(rows))).collect())?)?;
    Ok(())
}

/// The words in each of the pieces, folded once however often a piece occurs.
fn spoken<'a>(pieces: impl Iterator<Item = &'a str>) -> HashMap<&'a str, Vec<String>> {
    let distinct: HashSet<&str> = pieces.collect();
    distinct.into_iter().map(|piece| (piece, fold::words(piece))).collect()
}

/// What stands between two blanks of a text.
fn pieces_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|piece| !piece.is_empty())
}

/// Each row's text as the numbers of its pieces.
fn texts(rows: &[Row], pieces: &[&str]) -> Vec<Vec<u8>> {
    let numbers: HashMap<&str, usize> = pieces.iter().enumerate().map(|(number, piece)| (*piece, number)).collect();
    let column = |text| pieces_of(text).filter_map(|piece| numbers.get(piece).copied()).chain([0]);
    rows.iter().map(|row| numbered(row.columns.iter().flat_map(|text| column(text)))).collect()
}

/// The rows in whose searched columns a word occurs, in order.
fn postings<'a>(rows: &'a [Row], searched: usize, spoken: &'a HashMap<&str, Vec<String>>) -> BTreeMap<&'a str, Vec<usize>> {
    let mut postings: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        let pieces = row.columns.iter().take(searched).flat_map(|text| pieces_of(text));
        for word in pieces.filter_map(|piece| spoken.get(piece)).flatten() {
            let found = postings.entry(word).or_default();
            if found.last() != Some(&number) {
                found.push(number);
            }
        }
    }
    postings
}

/// The pieces of all texts, the frequent ones first; number 0 is kept for the end of a column.
fn pieces(rows: &[Row]) -> Vec<&str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for piece in rows.iter().flat_map(|row| &row.columns).flat_map(|text| pieces_of(text)) {
        *counts.entry(piece).or_default() += 1;
    }
    let mut sorted: Vec<(&str, usize)> = counts.into_iter().collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    std::iter::once("").chain(sorted.into_iter().map(|(piece, _)| piece)).collect()
}

fn distances(rows: &[usize]) -> impl Iterator<Item = usize> {
    rows.iter().scan(0, |before, row| {
        let distance = row - *before;
        *before = *row;
        Some(distance)
    })
}

fn numbered(numbers: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut bytes = Vec::new();
    numbers.for_each(|number| push_number(&mut bytes, number));
    bytes
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        bytes.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    bytes.push(low);
}

/// A table: how many entries, where each ends (four bytes each, the lowest first), then the entries.
fn table(entries: Vec<Vec<u8>>) -> Outcome<Vec<u8>> {
    let mut bytes = u32::try_from(entries.len())?.to_le_bytes().to_vec();
    let mut end = 0;
    for entry in &entries {
        end += entry.len();
        bytes.extend_from_slice(&u32::try_from(end)?.to_le_bytes());
    }
    bytes.extend(entries.into_iter().flatten());
    Ok(bytes)
}
