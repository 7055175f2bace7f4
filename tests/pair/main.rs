//! The pair.
fn main(){}
