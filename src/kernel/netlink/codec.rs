//! Netlink messages and attributes ⇄ bytes. Pure; no byte from outside makes it panic.
//!
//! It knows lengths, alignment and integers, and not one family: what a number means is its user's affair. Reading stops
//! quietly at the first attribute that does not fit; a reader that misses what it needs says so itself.
//!
//! Source: `linux/netlink.h`. Netlink speaks the machine's own byte order; methods that end in `_be` are for the values
//! that a family keeps in network order.

use netlink_packet_core::{NLA_F_NESTED, NLM_F_REQUEST, NlaBuffer, NlasIterator};

/// `struct nlmsghdr`: length, type, flags, sequence number, port.
pub(super) const HEADER_BYTES: usize = 16;
/// `struct nlattr`: length, type.
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// Messages and attributes begin at multiples of this.
const ALIGNMENT_BYTES: usize = 4;

/// Room for the longest of our usual messages, an IPv6 destination with a tunnel: none grows while it is built.
const MESSAGE_BYTES: usize = 256;

/// A request under construction. An attribute longer than 65,531 bytes is cut; none of ours comes near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A request of this type (a family's number, or a `NLMSG_*`, `NFNL_*` type), with flags beside `NLM_F_REQUEST`.
    pub(crate) fn new(message_type: u16, flags: u16) -> Self {
        let mut bytes = Vec::with_capacity(MESSAGE_BYTES);
        bytes.extend_from_slice(&0_u32.to_ne_bytes());
        bytes.extend_from_slice(&message_type.to_ne_bytes());
        bytes.extend_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.resize(HEADER_BYTES, 0);
        Self { bytes }
    }

    /// Appends a family's own fixed header; its length must keep the alignment.
    pub(crate) fn header(mut self, header: &[u8]) -> Self {
        self.bytes.extend_from_slice(header);
        self.align();
        self
    }

    /// Appends an attribute.
    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ATTRIBUTE_HEADER_BYTES]);
        self.bytes
            .extend_from_slice(&value[..value.len().min(usize::from(u16::MAX) - ATTRIBUTE_HEADER_BYTES)]);
        self.close(start, kind);
    }

    pub(crate) fn put_u8(&mut self, kind: u16, value: u8) {
        self.put(kind, &[value]);
    }

    pub(crate) fn put_u16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_ne_bytes());
    }

    pub(crate) fn put_u16_be(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_be_bytes());
    }

    pub(crate) fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// A string with its closing zero byte (`NLA_NUL_STRING`).
    pub(crate) fn put_string(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.put(kind, &bytes);
    }

    /// Appends a nested attribute that holds what `fill` puts.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ATTRIBUTE_HEADER_BYTES]);
        fill(self);
        self.close(start, kind | NLA_F_NESTED);
    }

    /// Writes the header of the attribute that began at `start`, and pads it.
    fn close(&mut self, start: usize, kind: u16) {
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT_BYTES), 0);
    }

    /// What stands behind the header.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Its length on the wire, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends it to `wire` with this sequence number and further flags.
    pub(super) fn emit(&self, wire: &mut Vec<u8>, sequence: u32, flags: u16) {
        let start = wire.len();
        wire.extend_from_slice(&self.bytes);
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let own_flags = u16::from_ne_bytes([self.bytes[6], self.bytes[7]]);
        wire[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        wire[start + 6..start + 8].copy_from_slice(&(own_flags | flags).to_ne_bytes());
        wire[start + 8..start + 12].copy_from_slice(&sequence.to_ne_bytes());
    }
}

/// The attributes of a message built for a test, after `skip` bytes of the family's own header.
#[cfg(test)]
pub(crate) fn attributes_of(message: &Message, skip: usize) -> Vec<u8> {
    message.payload()[skip..].to_vec()
}

/// One received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received<'bytes> {
    pub(crate) message_type: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// What follows the header, padding excluded.
    pub(crate) payload: &'bytes [u8],
}

/// The messages of one datagram, in order; ends at the first that does not fit.
pub(crate) struct Datagram<'bytes>(pub(crate) &'bytes [u8]);

impl<'bytes> Iterator for Datagram<'bytes> {
    type Item = Received<'bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let payload = bytes.get(HEADER_BYTES..length)?;
        self.0 = bytes.get(length.next_multiple_of(ALIGNMENT_BYTES)..).unwrap_or_default();
        Some(Received {
            message_type: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            payload,
        })
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The 32 bits at `offset`, in the machine's order.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The attributes in `bytes`, in order; ends at the first that does not fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'bytes>(pub(crate) &'bytes [u8]);

impl<'bytes> Attributes<'bytes> {
    /// The attributes by their kind, of those below `KINDS`, in one pass; of several of a kind the last, as the kernel's own
    /// parser chooses (`nla_parse`).
    pub(crate) fn by_kind<const KINDS: usize>(self) -> ByKind<'bytes, KINDS> {
        let mut found = [None; KINDS];
        for attribute in self {
            if let Some(place) = found.get_mut(usize::from(attribute.kind)) {
                *place = Some(attribute);
            }
        }
        ByKind(found)
    }

    /// The attribute of this kind, where no others are needed.
    pub(crate) fn find(self, kind: u16) -> Option<Attribute<'bytes>> {
        self.into_iter().filter(|attribute| attribute.kind == kind).last()
    }
}

/// Attributes by their kind: what a reader that needs several of them asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByKind<'bytes, const KINDS: usize>([Option<Attribute<'bytes>>; KINDS]);

impl<'bytes, const KINDS: usize> ByKind<'bytes, KINDS> {
    pub(crate) fn find(&self, kind: u16) -> Option<Attribute<'bytes>> {
        self.0.get(usize::from(kind)).copied().flatten()
    }
}

impl<'bytes> IntoIterator for Attributes<'bytes> {
    type Item = Attribute<'bytes>;
    type IntoIter = std::iter::MapWhile<
        NlasIterator<&'bytes [u8]>,
        fn(Result<NlaBuffer<&'bytes [u8]>, netlink_packet_core::DecodeError>) -> Option<Attribute<'bytes>>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        NlasIterator::new(self.0).map_while(|checked| checked.ok().map(Attribute::from_checked))
    }
}

/// One attribute. A value of the wrong length reads as `None`; a longer one is read from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'bytes> {
    /// Its type, without the nesting and byte-order bits.
    pub(crate) kind: u16,
    pub(crate) value: &'bytes [u8],
}

impl<'bytes> Attribute<'bytes> {
    fn from_checked(checked: NlaBuffer<&'bytes [u8]>) -> Self {
        let kind = checked.kind();
        let end = ATTRIBUTE_HEADER_BYTES + checked.value_length();
        Self { kind, value: checked.into_inner().get(ATTRIBUTE_HEADER_BYTES..end).unwrap_or_default() }
    }

    fn array<const BYTES: usize>(self) -> Option<[u8; BYTES]> {
        self.value.first_chunk().copied()
    }

    pub(crate) fn u8(self) -> Option<u8> {
        self.array::<1>().map(u8::from_ne_bytes)
    }

    pub(crate) fn u16(self) -> Option<u16> {
        self.array().map(u16::from_ne_bytes)
    }

    pub(crate) fn u16_be(self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(self) -> Option<u32> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(crate) fn u64(self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    /// The text up to its zero byte; bytes that are not UTF-8 become replacement characters.
    pub(crate) fn string(self) -> String {
        let text = self.value.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// The attributes inside.
    pub(crate) fn nested(self) -> Attributes<'bytes> {
        Attributes(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_reads_back_as_it_was_built() {
        let mut message = Message::new(0x20, 0x300).header(&[4, 1, 0, 0]);
        message.put_string(1, "wlc");
        message.nest(2, |inner| {
            inner.put_u16_be(3, 80);
            inner.put_u32(4, 7);
        });
        let mut wire = Vec::new();
        message.emit(&mut wire, 9, 4);
        let received: Vec<Received<'_>> = Datagram(&wire).collect();
        assert_eq!(received.len(), 1);
        assert_eq!((received[0].message_type, received[0].flags, received[0].sequence), (0x20, 0x305, 9));
        let attributes = Attributes(&received[0].payload[4..]);
        assert_eq!(attributes.find(1).map(Attribute::string), Some("wlc".to_owned()));
        let inner = attributes.find(2).expect("the nest").nested();
        assert_eq!(inner.find(3).and_then(Attribute::u16_be), Some(80));
        assert_eq!(inner.find(3).map(|attribute| attribute.value.len()), Some(2));
        assert_eq!(inner.find(4).and_then(Attribute::u32), Some(7));
        assert_eq!(inner.find(5), None);
        let by_kind = inner.by_kind::<4>();
        assert_eq!((by_kind.find(3), by_kind.find(4)), (inner.find(3), None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for received in Datagram(&bytes) {
                for attribute in Attributes(received.payload) {
                    let _ = (attribute.u8(), attribute.u16(), attribute.u16_be(), attribute.u32(), attribute.u64());
                    let _ = attribute.string();
                    prop_assert!(attribute.nested().into_iter().count() <= attribute.value.len());
                }
            }
            prop_assert!(Attributes(&bytes).into_iter().count() <= bytes.len());
            let by_kind = Attributes(&bytes).by_kind::<16>();
            for kind in 0..16 {
                prop_assert_eq!(by_kind.find(kind), Attributes(&bytes).find(kind));
            }
        }

        #[test]
        fn any_value_comes_back(kind in 0_u16..0x3fff, value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut message = Message::new(1, 0);
            message.put(kind, &value);
            message.put_u8(kind + 1, 1);
            let bytes = attributes_of(&message, 0);
            let found: Vec<Attribute<'_>> = Attributes(&bytes).into_iter().collect();
            prop_assert_eq!(found.len(), 2);
            prop_assert_eq!(found[0], Attribute { kind, value: &value });
        }
    }
}
