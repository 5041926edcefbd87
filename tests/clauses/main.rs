//! The clauses of the RFCs: one test for each MUST, named for its clause.

mod rfc6455_4_1_client;
mod rfc6455_4_server;
mod rfc6455_5_5_control;
mod rfc6455_5_framing;
mod rfc6455_6_to_8;
mod rfc7692;
mod rfc8441;
