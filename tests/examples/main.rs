//! The examples do what they say.

mod blocking;
mod book;
mod over_tokio;
mod port;
mod small_chats;
