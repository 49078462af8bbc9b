//! The rules for the IP address and the email address of a customer.

use crate::order::problem::Code;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Checks an IP address; `Ok(Some(…))` is a warning.
pub(in crate::order) fn ip(text: &str) -> Result<Option<Code>, Code> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok((!is_public(address)).then_some(Code::IpNotPublic)),
        Err(_) if is_list(text) => Err(Code::IpList),
        Err(_) => Err(Code::IpInvalid),
    }
}

fn is_list(text: &str) -> bool {
    let mut parts = text.split([',', ';', ' ']).filter(|part| !part.is_empty());
    parts.clone().count() > 1 && parts.all(|part| part.parse::<IpAddr>().is_ok())
        || text.contains(',')
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => v6
            .to_ipv4_mapped()
            .map_or_else(|| is_public_v6(v6), is_public_v4),
    }
}

/// Whether the address is outside of the IANA special-purpose ranges that no customer has (RFC 6890).
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    let shared = a == 100 && (64..128).contains(&b); // RFC 6598, carrier-grade NAT
    let benchmarking = a == 198 && (b == 18 || b == 19); // RFC 2544
    let reserved = a == 0 || a >= 240;
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || v4.is_multicast()
        || shared
        || benchmarking
        || reserved)
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let segments = v6.segments();
    let documentation = (segments[0] == 0x2001 && segments[1] == 0x0db8) // RFC 3849
        || (segments[0] == 0x3fff && segments[1] < 0x1000); // RFC 9637
    !(v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_unique_local()
        || v6.is_unicast_link_local()
        || v6.is_multicast()
        || documentation)
}

/// Whether a value can identify a customer: an email address, or a digest of one in hex or base64.
pub(in crate::order) fn is_email_or_digest(text: &str) -> bool {
    text.contains('@') || is_hex_digest(text) || is_base64_digest(text)
}

fn is_hex_digest(text: &str) -> bool {
    // MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512
    matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128)
        && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_base64_digest(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    let padding = text.len() - unpadded.len();
    // The same digests: 16, 20, 28, 32, 48 and 64 bytes.
    matches!(unpadded.len(), 22 | 27 | 38 | 43 | 64 | 86)
        && (padding == 0 || (text.len().is_multiple_of(4) && padding <= 2))
        && unpadded
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_public_or_not_one_are_reported() {
        for public in [
            "93.184.215.14",
            "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(ip(public), Ok(None), "{public}");
        }
        for private in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "0.0.0.0",
            "100.64.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "255.255.255.255",
        ] {
            assert_eq!(ip(private), Ok(Some(Code::IpNotPublic)), "{private}");
        }
        for list in ["8.8.8.8, 10.0.0.1", "8.8.8.8,1.1.1.1", "8.8.8.8 1.1.1.1"] {
            assert_eq!(ip(list), Err(Code::IpList), "{list}");
        }
        for bad in [
            "256.1.1.1",
            "8.8.8.8:80",
            "[::1]",
            "fe80::1%eth0",
            "localhost",
            "1.2.3",
            "01.2.3.4",
        ] {
            assert_eq!(ip(bad), Err(Code::IpInvalid), "{bad}");
        }
    }

    #[test]
    fn digests_are_distinguished_from_other_text() {
        for fine in [
            "a@b",
            "d41d8cd98f00b204e9800998ecf8427e",
            "1B2M2Y8AsgTpgAmY7PhCfg==",
            "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        ] {
            assert!(is_email_or_digest(fine), "{fine}");
        }
        for odd in ["unknown", "d41d8cd98f00b204e9800998ecf8427", "example.com"] {
            assert!(!is_email_or_digest(odd), "{odd}");
        }
    }
}
