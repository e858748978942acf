//! Passwords: the rules for new ones, and hashing that forgets no byte, tells no unknown user and cannot be used to exhaust the machine.
//!
//! A stored text is `b1` and a bcrypt text. Version 1 means: NFKC, then HMAC-SHA-256 in base64 (44 bytes, never a NUL), then bcrypt,
//! which by itself would ignore everything after 72 bytes. The HMAC's fixed key keeps the hashes of other leaks from being tried as they are.

use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use zxcvbn::Score;
use zxcvbn::feedback::{Feedback, Suggestion, Warning};

use super::secret::hmac_sha256;

/// The fewest characters of a new password.
pub const FEWEST_CHARS: usize = 10;
/// The most bytes of a password.
pub const MOST_BYTES: usize = 1000;
/// The cost of a password in use; tests take [`LOWEST_COST`].
pub const COST: u32 = 12;
/// The lowest cost bcrypt knows.
pub const LOWEST_COST: u32 = 4;

const VERSION: &str = "b1";
const PREHASH_KEY: &[u8] = b"kinchart password b1";
const LEAST_SCORE: Score = Score::Two;
/// The estimate takes more than linear time.
const MOST_ESTIMATED_CHARS: usize = 100;
/// Shorter words of a name or address are in many good passwords.
const SHORTEST_PERSONAL_WORD: usize = 3;
const LENGTH_OF_BCRYPT_TEXT: usize = 60;

const MOST_HASHES_AT_ONCE: usize = 2;
const MOST_WAITING: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a new password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// Fewer than [`FEWEST_CHARS`] characters.
    #[error("a password has at least {FEWEST_CHARS} characters")]
    TooShort,
    /// More than [`MOST_BYTES`] bytes.
    #[error("a password has at most {MOST_BYTES} bytes")]
    TooLong,
    /// Easily guessed.
    #[error("this password is easy to guess")]
    TooWeak(Advice),
}

impl PasswordError {
    /// The sentence's key in the catalogue; [`Advice::key`] has a second one.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::TooShort => "error.password_too_short",
            Self::TooLong => "error.password_too_long",
            Self::TooWeak(_) => "error.password_too_weak",
        }
    }
}

/// What would make a weak password better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Advice {
    /// It is one of the most used passwords or resembles one.
    Common,
    /// It is made of the person's own names or address.
    Personal,
    /// Neighbouring keys.
    Keys,
    /// Something repeated.
    Repeats,
    /// `abcd`, `6543`.
    Sequences,
    /// Dates and years.
    Dates,
    /// A name or surname.
    Names,
    /// A single word.
    SingleWord,
    /// Capitals, reversed words and `@` for `a` help little.
    Disguise,
    /// Another word or two.
    MoreWords,
}

impl Advice {
    /// All advice, for the catalogue's tests.
    pub const ALL: [Self; 10] = [
        Self::Common,
        Self::Personal,
        Self::Keys,
        Self::Repeats,
        Self::Sequences,
        Self::Dates,
        Self::Names,
        Self::SingleWord,
        Self::Disguise,
        Self::MoreWords,
    ];

    /// The sentence's key in the catalogue.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Common => "password.advice.common",
            Self::Personal => "password.advice.personal",
            Self::Keys => "password.advice.keys",
            Self::Repeats => "password.advice.repeats",
            Self::Sequences => "password.advice.sequences",
            Self::Dates => "password.advice.dates",
            Self::Names => "password.advice.names",
            Self::SingleWord => "password.advice.single_word",
            Self::Disguise => "password.advice.disguise",
            Self::MoreWords => "password.advice.more_words",
        }
    }
}

impl From<Warning> for Advice {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::StraightRowsOfKeysAreEasyToGuess | Warning::ShortKeyboardPatternsAreEasyToGuess => Self::Keys,
            Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => Self::Repeats,
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword
            | Warning::ThisIsSimilarToACommonlyUsedPassword => Self::Common,
            Warning::SequencesLikeAbcAreEasyToGuess => Self::Sequences,
            Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => Self::Dates,
            Warning::AWordByItselfIsEasyToGuess => Self::SingleWord,
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess | Warning::CommonNamesAndSurnamesAreEasyToGuess => Self::Names,
        }
    }
}

impl From<Suggestion> for Advice {
    fn from(suggestion: Suggestion) -> Self {
        match suggestion {
            Suggestion::UseAFewWordsAvoidCommonPhrases
            | Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters
            | Suggestion::AddAnotherWordOrTwo => Self::MoreWords,
            Suggestion::CapitalizationDoesntHelpVeryMuch
            | Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase
            | Suggestion::ReversedWordsArentMuchHarderToGuess
            | Suggestion::PredictableSubstitutionsDontHelpVeryMuch => Self::Disguise,
            Suggestion::UseALongerKeyboardPatternWithMoreTurns => Self::Keys,
            Suggestion::AvoidRepeatedWordsAndCharacters => Self::Repeats,
            Suggestion::AvoidSequences => Self::Sequences,
            Suggestion::AvoidRecentYears
            | Suggestion::AvoidYearsThatAreAssociatedWithYou
            | Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => Self::Dates,
        }
    }
}

/// Whether a new password may be used by somebody with that name, user name and e-mail address.
///
/// # Errors
/// Tells which rule it breaks.
pub fn check_new(password: &str, personal: &[&str]) -> Result<(), PasswordError> {
    if password.len() > MOST_BYTES {
        return Err(PasswordError::TooLong);
    }
    let normal: String = password.nfkc().collect();
    if normal.chars().count() < FEWEST_CHARS {
        return Err(PasswordError::TooShort);
    }
    check_strength(&normal, personal)
}

/// Characters besides one's own names.
const FEWEST_OF_OWN: usize = 4;

/// The 3,000 most used passwords that are long enough, sorted, in small letters (`data/README.md`). What resembles none of zxcvbn's words can still
/// be among the first that anybody tries.
static MOST_USED: &str = include_str!("../../data/common_passwords.txt");

fn is_most_used(password: &str) -> bool {
    static SORTED: LazyLock<Vec<&str>> = LazyLock::new(|| MOST_USED.lines().collect());
    SORTED.binary_search(&password.to_lowercase().as_str()).is_ok()
}

fn check_strength(password: &str, personal: &[&str]) -> Result<(), PasswordError> {
    let start: String = password.chars().take(MOST_ESTIMATED_CHARS).collect();
    let words = personal_words(personal);
    let mut penalised: Vec<&str> = words.iter().map(String::as_str).collect();
    penalised.push("kinchart");
    if is_made_of(&start, &words) {
        return Err(PasswordError::TooWeak(Advice::Personal));
    }
    let estimate = zxcvbn::zxcvbn(&start, &penalised);
    if estimate.score() >= LEAST_SCORE {
        return if is_most_used(password) { Err(PasswordError::TooWeak(Advice::Common)) } else { Ok(()) };
    }
    let lower = start.to_lowercase();
    if words.iter().any(|word| lower.contains(word)) {
        return Err(PasswordError::TooWeak(Advice::Personal));
    }
    let feedback = estimate.feedback();
    let warning = feedback.and_then(Feedback::warning).map(Advice::from);
    let suggestion = || feedback.and_then(|feedback| feedback.suggestions().first()).copied().map(Advice::from);
    Err(PasswordError::TooWeak(warning.or_else(suggestion).unwrap_or(Advice::MoreWords)))
}

/// Is there next to nothing besides those words? However often they stand there: an estimate takes each repetition for something new.
fn is_made_of(password: &str, words: &[String]) -> bool {
    let mut longest_first: Vec<&String> = words.iter().collect();
    longest_first.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = longest_first.iter().fold(password.to_lowercase(), |rest, word| rest.replace(word.as_str(), " "));
    rest != password.to_lowercase() && rest.chars().filter(|c| c.is_alphanumeric()).count() < FEWEST_OF_OWN
}

/// The texts as a whole and their words.
fn personal_words(personal: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in personal {
        let lower: String = text.nfkc().take(MOST_ESTIMATED_CHARS).collect::<String>().to_lowercase();
        words.extend(lower.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        words.push(lower);
    }
    words.retain(|word| word.chars().count() >= SHORTEST_PERSONAL_WORD);
    words
}

/// Too many passwords are being hashed: answer 503 and ask to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many people are signing in at this moment, try again")]
pub struct Busy;

/// Why a password was not hashed.
#[derive(Debug, Error)]
pub enum HashError {
    /// The gate is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The password has more than [`MOST_BYTES`] bytes; [`check_new`] would have told.
    #[error("a password has at most {MOST_BYTES} bytes")]
    TooLong,
    /// The system gives no random numbers, or the cost is out of range.
    #[error("the password could not be hashed: {0}")]
    Bcrypt(#[from] bcrypt::BcryptError),
}

/// Hashes and verifies passwords; the program has one, because it holds the gate. All of it blocks: call it on a blocking thread.
#[derive(Debug)]
pub struct Passwords {
    cost: u32,
    gate: HashGate,
}

impl Passwords {
    /// With a cost from [`LOWEST_COST`] to 31.
    #[must_use]
    pub fn new(cost: u32) -> Self {
        Self { cost, gate: HashGate::new(MOST_HASHES_AT_ONCE, MOST_WAITING, PATIENCE) }
    }

    /// The text to be stored for a password that [`check_new`] accepted.
    ///
    /// # Errors
    /// If too many hashes are under way or the system fails.
    pub fn hash(&self, password: &str) -> Result<String, HashError> {
        let prepared = prepare(password).ok_or(HashError::TooLong)?;
        let _pass = self.gate.enter()?;
        Ok(format!("{VERSION}{}", bcrypt::non_truncating_hash(prepared, self.cost)?))
    }

    /// Whether it is the password of the stored text. A text that is no hash fits no password and takes as long to refuse.
    ///
    /// # Errors
    /// If too many hashes are under way.
    pub fn verify(&self, password: &str, stored: &str) -> Result<bool, Busy> {
        match (prepare(password), bcrypt_text(stored)) {
            (Some(prepared), Some(text)) => {
                let _pass = self.gate.enter()?;
                Ok(bcrypt::non_truncating_verify(prepared, text).unwrap_or(false))
            }
            _ => self.verify_nobody(password),
        }
    }

    /// Takes as long as `verify` for somebody who does not exist, and says no.
    ///
    /// # Errors
    /// If too many hashes are under way.
    pub fn verify_nobody(&self, password: &str) -> Result<bool, Busy> {
        let prepared = prepare(password).unwrap_or_default();
        let _pass = self.gate.enter()?;
        let _ = std::hint::black_box(bcrypt::hash_with_salt(prepared, self.cost, [0; 16]));
        Ok(false)
    }

    /// Whether a verified password should be hashed again, because we now do it in another way.
    #[must_use]
    pub fn is_outdated(&self, stored: &str) -> bool {
        let parts = bcrypt_text(stored).and_then(|text| text.parse::<bcrypt::HashParts>().ok());
        parts.is_none_or(|parts| parts.get_cost() != self.cost)
    }
}

/// What bcrypt gets; nothing for more bytes than any password has.
fn prepare(password: &str) -> Option<String> {
    (password.len() <= MOST_BYTES).then(|| {
        let normal: String = password.nfkc().collect();
        STANDARD.encode(hmac_sha256(PREHASH_KEY, &[normal.as_bytes()]))
    })
}

/// The bcrypt text in a stored text of our version.
fn bcrypt_text(stored: &str) -> Option<&str> {
    stored.strip_prefix(VERSION).filter(|text| text.len() == LENGTH_OF_BCRYPT_TEXT && text.is_ascii())
}

/// Lets a few threads work at a time, a few more wait, and turns all others away.
#[derive(Debug)]
pub struct HashGate {
    state: Mutex<GateState>,
    freed: Condvar,
    most_inside: usize,
    most_waiting: usize,
    patience: Duration,
}

#[derive(Debug, Default)]
struct GateState {
    inside: usize,
    waiting: usize,
}

/// The permission to hash until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it opens the gate again"]
pub struct HashPass<'a>(&'a HashGate);

impl HashGate {
    /// A gate for so many at a time, so many waiting, and for so long.
    #[must_use]
    pub fn new(most_inside: usize, most_waiting: usize, patience: Duration) -> Self {
        Self { state: Mutex::default(), freed: Condvar::new(), most_inside, most_waiting, patience }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// If too many wait already or it takes too long.
    pub fn enter(&self) -> Result<HashPass<'_>, Busy> {
        let mut state = self.lock();
        if state.inside >= self.most_inside {
            state = self.wait(state)?;
        }
        state.inside += 1;
        Ok(HashPass(self))
    }

    fn wait<'a>(&'a self, mut state: MutexGuard<'a, GateState>) -> Result<MutexGuard<'a, GateState>, Busy> {
        if state.waiting >= self.most_waiting {
            return Err(Busy);
        }
        state.waiting += 1;
        let until = Instant::now() + self.patience;
        while state.inside >= self.most_inside {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waiting -= 1;
                return Err(Busy);
            }
            (state, _) = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        Ok(state)
    }

    /// Nothing that holds the lock can panic; a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HashPass<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn passwords() -> Passwords {
        Passwords::new(LOWEST_COST)
    }

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let passwords = passwords();
        let stored = passwords.hash("correct horse battery").unwrap();
        assert!(stored.starts_with("b1$2b$04$"), "{stored}");
        assert_ne!(stored, passwords.hash("correct horse battery").unwrap(), "the salt differs");
        assert_eq!(passwords.verify("correct horse battery", &stored), Ok(true));
        for wrong in ["correct horse batterz", "Correct horse battery", "correct horse battery ", ""] {
            assert_eq!(passwords.verify(wrong, &stored), Ok(false), "{wrong}");
        }
    }

    #[test]
    fn no_byte_is_cut_off() {
        let passwords = passwords();
        let long = "x".repeat(MOST_BYTES - 1);
        let stored = passwords.hash(&format!("{long}a")).unwrap();
        assert_eq!(passwords.verify(&format!("{long}a"), &stored), Ok(true));
        assert_eq!(passwords.verify(&format!("{long}b"), &stored), Ok(false));
        let stored = passwords.hash("before\0after").unwrap();
        assert_eq!(passwords.verify("before\0after", &stored), Ok(true));
        assert_eq!(passwords.verify("before\0other", &stored), Ok(false));
    }

    #[test]
    fn keyboards_may_compose_letters_differently() {
        let passwords = passwords();
        let stored = passwords.hash("caf\u{e9} au lait").unwrap();
        assert_eq!(passwords.verify("cafe\u{301} au lait", &stored), Ok(true));
        assert_eq!(passwords.verify("cafe au lait", &stored), Ok(false));
    }

    #[test]
    fn stored_hashes_stay_valid() {
        // Made with another program: HMAC and base64 of Python, bcrypt of libxcrypt.
        assert_eq!(prepare("correct horse battery").unwrap(), "D86G00ysullJCPawAROTXinvpvT3YuKwqyrJRzKmM7g=");
        let stored = "b1$2b$04$......................9PhyuBMZiRHNYsoPTCd2Zgn4y60Ecyu";
        assert_eq!(passwords().verify("correct horse battery", stored), Ok(true));
    }

    #[test]
    fn what_is_no_hash_fits_nothing() {
        let passwords = passwords();
        let bare = bcrypt::hash("correct horse battery", 4).unwrap();
        let multibyte = format!("b1{}", "é".repeat(30));
        for stored in ["", "b1", "b1$2b$04$", &bare, &multibyte, "b2$2b$04$......................"] {
            assert_eq!(passwords.verify("correct horse battery", stored), Ok(false), "{stored}");
            assert!(passwords.is_outdated(stored), "{stored}");
        }
        assert_eq!(passwords.verify_nobody("correct horse battery"), Ok(false));
    }

    #[test]
    fn a_password_beyond_all_bounds_is_refused_everywhere() {
        let passwords = passwords();
        let huge = "x".repeat(MOST_BYTES + 1);
        let stored = passwords.hash("correct horse battery").unwrap();
        assert!(matches!(passwords.hash(&huge), Err(HashError::TooLong)));
        assert_eq!(passwords.verify(&huge, &stored), Ok(false));
        assert_eq!(check_new(&huge, &[]), Err(PasswordError::TooLong));
    }

    #[test]
    fn another_cost_is_outdated() {
        let stored = passwords().hash("correct horse battery").unwrap();
        assert!(!passwords().is_outdated(&stored));
        assert!(Passwords::new(5).is_outdated(&stored));
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(check_new("zwölf Äpfe", &[]), Ok(()));
        assert_eq!(check_new("zwölf Äpf", &[]), Err(PasswordError::TooShort));
        assert_eq!(check_new("", &[]), Err(PasswordError::TooShort));
        assert_eq!(check_new("pferd-e\u{301}\u{301}", &[]), Err(PasswordError::TooShort), "accents are no characters");
    }

    #[test]
    fn weak_passwords_are_refused_with_advice() {
        for (password, advice) in [
            ("passwordpassword", Advice::Repeats),
            ("password12", Advice::Common),
            ("aaaaaaaaaaaa", Advice::Repeats),
            ("abcdefghijkl", Advice::Sequences),
            ("qwertyuiop", Advice::Common),
            ("annasmith1", Advice::Personal),
            ("Kinchart2026", Advice::MoreWords),
        ] {
            assert_eq!(
                check_new(password, &["Anna Smith", "asmith", "anna.smith@example.org"]),
                Err(PasswordError::TooWeak(advice)),
                "{password}"
            );
        }
    }

    #[test]
    fn good_passwords_pass_without_any_composition() {
        for password in ["tulip garden rain", "vqkzmwtrhb", "9471 8206 3359", "пароль из слов", "x7#Lp!q2Zr"] {
            assert_eq!(check_new(password, &["Anna Smith", "a@b.org", ""]), Ok(()), "{password}");
        }
        assert_eq!(check_new(&"tulip rain ".repeat(90), &[]), Ok(()), "long ones are judged by their start");
    }

    #[test]
    fn personal_words_make_a_password_weak() {
        assert_eq!(check_new("zbigniewkowalczyk", &[]), Ok(()));
        let personal = ["Zbigniew Kowalczyk"];
        assert_eq!(check_new("zbigniewkowalczyk", &personal), Err(PasswordError::TooWeak(Advice::Personal)));
        for again in ["ada owner ada", "Ada-Owner-Ada-12", "owner.owner.ada"] {
            assert_eq!(check_new(again, &["Ada Owner", "ada"]), Err(PasswordError::TooWeak(Advice::Personal)), "{again}");
        }
        check_new("ada keeps nine lanterns", &["Ada Owner", "ada"]).unwrap();
    }

    #[test]
    fn keys_are_distinct() {
        let keys: std::collections::BTreeSet<_> = Advice::ALL.iter().map(|advice| advice.key()).collect();
        assert_eq!(keys.len(), Advice::ALL.len());
        assert_eq!(PasswordError::TooWeak(Advice::Names).key(), "error.password_too_weak");
    }

    #[test]
    fn never_more_than_two_are_inside() {
        let gate = HashGate::new(2, 100, Duration::from_secs(20));
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    let _pass = gate.enter().unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(3));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
        let state = gate.lock();
        assert_eq!((state.inside, state.waiting), (0, 0));
    }

    #[test]
    fn who_waits_too_long_or_behind_too_many_is_turned_away() {
        let patient = HashGate::new(1, 1, Duration::from_millis(20));
        let pass = patient.enter().unwrap();
        assert_eq!(patient.enter().unwrap_err(), Busy, "after a while");
        assert_eq!(patient.lock().waiting, 0);
        drop(pass);
        assert!(patient.enter().is_ok());
        let crowded = HashGate::new(1, 0, Duration::from_secs(50));
        let _pass = crowded.enter().unwrap();
        let start = Instant::now();
        assert_eq!(crowded.enter().unwrap_err(), Busy);
        assert!(start.elapsed() < Duration::from_secs(30), "at once");
    }

    #[test]
    fn a_pass_that_is_dropped_lets_the_next_in() {
        let gate = HashGate::new(1, 1, Duration::from_secs(20));
        let pass = gate.enter().unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| gate.enter().is_ok());
            while gate.lock().waiting == 0 {
                std::thread::yield_now();
            }
            drop(pass);
            assert!(waiter.join().unwrap());
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn arbitrary_passwords_never_panic(password in any::<String>(), name in any::<String>()) {
            let _ = check_new(&password, &[&name]);
            let prepared = prepare(&password).unwrap();
            prop_assert_eq!(prepared.len(), 44);
        }
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for password in MOST_USED.lines() {
            assert!(check_new(password, &[]).is_err(), "{password}");
        }
        // The estimate alone would let these pass.
        for password in ["VQsaBLPzLa", "Kozanostra"] {
            assert_eq!(check_new(password, &[]), Err(PasswordError::TooWeak(Advice::Common)), "{password}");
        }
        assert!(MOST_USED.lines().is_sorted() && MOST_USED.lines().count() == 3000);
        assert_eq!(check_new("VQsaBLPzLa brews thunder", &[]), Ok(()));
    }
}
