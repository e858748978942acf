//! The check digit of a National Provider Identifier, the ten digits of a practitioner or practice in the United States.

use thiserror::Error;

/// What the fixed prefix 80840 adds to the Luhn sum (45 CFR 162.406, ISO/IEC 7812).
const PREFIX_SUM: u32 = 24;

/// Why a text is no NPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NpiError {
    /// Something else than ten digits.
    #[error("an NPI has ten digits and nothing else")]
    NotTenDigits,
    /// Only numbers beginning with 1 or 2 are given out.
    #[error("an NPI begins with 1 or 2")]
    WrongStart,
    /// A digit is wrong or two are swapped.
    #[error("the NPI's check digit is wrong: a digit may be mistyped")]
    WrongCheckDigit,
}

/// Whether the text, without blanks around it, is an NPI.
///
/// # Errors
/// Tells what is wrong with it.
pub fn check(text: &str) -> Result<(), NpiError> {
    if text.len() != 10 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NpiError::NotTenDigits);
    }
    if !text.starts_with(['1', '2']) {
        return Err(NpiError::WrongStart);
    }
    let sum = PREFIX_SUM + luhn_sum(text);
    sum.is_multiple_of(10).then_some(()).ok_or(NpiError::WrongCheckDigit)
}

/// Every second digit from the right, not counting the check digit's own place, counts twice.
fn luhn_sum(digits: &str) -> u32 {
    let values = digits.chars().rev().filter_map(|c| c.to_digit(10));
    values.enumerate().map(|(place, digit)| if place % 2 == 0 { digit } else { twice(digit) }).sum()
}

fn twice(digit: u32) -> u32 {
    let double = digit * 2;
    if double > 9 { double - 9 } else { double }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_sum_is_that_of_80840() {
        assert_eq!(luhn_sum("808401234567893"), PREFIX_SUM + luhn_sum("1234567893"));
    }

    #[test]
    fn real_numbers_pass() {
        for npi in ["1234567893", "1003000126", "1245319599"] {
            assert_eq!(check(npi), Ok(()), "{npi}");
        }
    }

    #[test]
    fn every_single_wrong_digit_is_found() {
        let right = "1234567893";
        for place in 1..10 {
            for digit in '0'..='9' {
                let typed: String = right.chars().enumerate().map(|(i, c)| if i == place { digit } else { c }).collect();
                let expected = if typed == right { Ok(()) } else { Err(NpiError::WrongCheckDigit) };
                assert_eq!(check(&typed), expected, "{typed}");
            }
        }
    }

    #[test]
    fn other_texts_are_told_apart() {
        for text in ["", "123456789", "12345678930", " 1234567893", "123456789X", "１２３４５６７８９３", "+123456789"] {
            assert_eq!(check(text), Err(NpiError::NotTenDigits), "{text}");
        }
        assert_eq!(check("3234567893"), Err(NpiError::WrongStart));
        assert_eq!(check("1243567893"), Err(NpiError::WrongCheckDigit), "two neighbours swapped");
    }
}
