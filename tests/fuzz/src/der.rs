//! DER read as a tree and written again: what a strict parser accepts must come back unchanged.

const INTEGER: u8 = 0x02;
const BOOLEAN: u8 = 0x01;
const OBJECT_IDENTIFIER: u8 = 0x06;
const CONSTRUCTED: u8 = 0x20;

/// Deeper than any certificate or revocation list.
const DEPTH_MAX: usize = 16;

/// The one DER encoding of the elements in `bytes`; none if they cannot be read at all.
///
/// Lengths are read in any form and written in the shortest; an integer loses surplus sign bytes, `TRUE` becomes 0xff.
pub(crate) fn canonical(bytes: &[u8]) -> Option<Vec<u8>> {
    elements(bytes, DEPTH_MAX)
}

fn elements(mut bytes: &[u8], depth: usize) -> Option<Vec<u8>> {
    let depth = depth.checked_sub(1)?;
    let mut out = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let (length, rest) = read_length(rest)?;
        let (contents, rest) = rest.split_at_checked(length)?;
        let contents = match *tag {
            tag if tag & CONSTRUCTED != 0 => elements(contents, depth)?,
            INTEGER => shortest_integer(contents),
            BOOLEAN => contents
                .iter()
                .map(|byte| if *byte == 0 { 0 } else { 0xff })
                .collect(),
            OBJECT_IDENTIFIER => shortest_identifier(contents),
            _ => contents.to_vec(),
        };
        out.push(*tag);
        write_length(contents.len(), &mut out)?;
        out.extend(contents);
        bytes = rest;
    }
    Some(out)
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length = digits.iter().try_fold(0_usize, |length, digit| {
        length.checked_mul(256)?.checked_add(usize::from(*digit))
    });
    Some((length?, rest))
}

fn write_length(length: usize, out: &mut Vec<u8>) -> Option<()> {
    if let Some(short) = u8::try_from(length).ok().filter(|length| *length < 0x80) {
        out.push(short);
        return Some(());
    }
    let all = length.to_be_bytes();
    let digits: Vec<u8> = all.into_iter().skip_while(|digit| *digit == 0).collect();
    out.push(u8::try_from(digits.len()).ok()? | 0x80);
    out.extend(digits);
    Some(())
}

fn shortest_integer(mut contents: &[u8]) -> Vec<u8> {
    while let [0, next, ..] = contents
        && *next < 0x80
    {
        contents = contents.get(1..).unwrap_or_default();
    }
    contents.to_vec()
}

/// Without the leading padding of each subidentifier.
fn shortest_identifier(contents: &[u8]) -> Vec<u8> {
    let mut begins = true;
    let mut out = Vec::new();
    for byte in contents {
        if !(begins && *byte == 0x80) {
            out.push(*byte);
            begins = byte & 0x80 == 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn changes_what_is_not_canonical_and_nothing_else() {
        for good in [
            &[0x30, 3, 2, 1, 5][..],
            &[2, 2, 0, 0x80],
            &[1, 1, 0xff],
            &[6, 3, 0x55, 4, 3],
            &[],
        ] {
            assert_eq!(canonical(good).as_deref(), Some(good));
        }
        for (loose, strict) in [
            (&[0x30, 0x81, 3, 2, 1, 5][..], &[0x30, 3, 2, 1, 5][..]),
            (&[0x30, 5, 2, 0x82, 0, 1, 5], &[0x30, 3, 2, 1, 5]),
            (&[2, 2, 0, 5], &[2, 1, 5]),
            (&[1, 1, 7], &[1, 1, 0xff]),
            (&[6, 3, 0x55, 0x80, 3], &[6, 2, 0x55, 3]),
        ] {
            assert_eq!(canonical(loose).as_deref(), Some(strict));
        }
        assert_eq!(canonical(&[0x30, 3, 2, 1]), None);
    }
}
