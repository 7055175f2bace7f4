//! An advertisement to bytes. It cannot fail: [`Advertisement`] holds only what can be sent.

use super::{
    ADVERTISEMENT, AUTHENTICATION_DATA, Advertisement, Endpoints, Interval, NO_AUTHENTICATION,
    SIMPLE_PASSWORD,
};
use super::{checksum, message_length};
use crate::model::{ChecksumReading, VrrpVersion};
use std::net::IpAddr;

impl Advertisement {
    /// The message as it travels behind the IP header. `reading` is of version 3 over IPv4 and else without effect.
    #[must_use]
    pub fn encode(&self, endpoints: &Endpoints, reading: ChecksumReading) -> Vec<u8> {
        let mut message = Vec::new();
        self.encode_into(endpoints, reading, &mut message);
        message
    }

    /// The same into a buffer, whose former content goes. The endpoints are of the advertisement's family: no receiver
    /// could read what travels over the other one.
    pub fn encode_into(&self, endpoints: &Endpoints, reading: ChecksumReading, message: &mut Vec<u8>) {
        debug_assert_eq!(self.family(), endpoints.family(), "an advertisement travels over its own family");
        message.clear();
        message.reserve(message_length(self.version(), self.family(), self.addresses().len()));
        // The constructor bounds the addresses to 255.
        let count = u8::try_from(self.addresses().len()).unwrap_or(u8::MAX);
        let version = match self.version() {
            VrrpVersion::V2 => 2,
            VrrpVersion::V3 => 3,
        };
        message.extend([version << 4 | ADVERTISEMENT, self.vrid().get(), self.priority(), count]);
        message.extend(self.interval_field());
        message.extend([0, 0]);
        for address in self.addresses() {
            match address {
                IpAddr::V4(address) => message.extend(address.octets()),
                IpAddr::V6(address) => message.extend(address.octets()),
            }
        }
        if self.version() == VrrpVersion::V2 {
            message.extend(self.password().map_or([0; AUTHENTICATION_DATA], |password| *password.bytes()));
        }
        checksum::write(message, self.version(), endpoints, reading);
    }

    /// Bytes 4 and 5: authentication type and seconds, or four reserved zero bits and centiseconds.
    const fn interval_field(&self) -> [u8; 2] {
        match (self.interval(), self.password()) {
            (Interval::Seconds(seconds), Some(_)) => [SIMPLE_PASSWORD, seconds.get()],
            (Interval::Seconds(seconds), None) => [NO_AUTHENTICATION, seconds.get()],
            (Interval::Centiseconds(centiseconds), _) => centiseconds.get().to_be_bytes(),
        }
    }
}
