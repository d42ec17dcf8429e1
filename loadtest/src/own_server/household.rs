//! The settings of a server started for an ordinary load: who lives there, what each may read, and no limit that the load would run into.
//!
//! Clients whose protocol has no word for libraries see those of their user. So each user has exactly the libraries that the ledgers
//! expect of the clients who use its token, and for those that can name libraries both say the same.

use crate::frame::library_name;
use crate::ledger::libraries_of_user;
use std::fmt::Write as _;
use toml::{Table, Value};

/// Token that publishes, and nothing else.
pub(crate) const PUBLISHER: &str = "loadtest-publisher-0123456789abcdef0123456789abcdef";
/// Token that publishes and reads what the first user may: a drain has one token for both.
pub(crate) const READER_AND_PUBLISHER: &str = "loadtest-both-0123456789abcdef0123456789abcdef";
/// Token of an administrator, who looks at the list of connections.
pub(crate) const ADMIN: &str = "loadtest-admin-0123456789abcdef0123456789abcdef";
/// Token of a user who may read a library to which nothing is published.
pub(crate) const STRANGER: &str = "loadtest-stranger-0123456789abcdef0123456789abcdef";
/// Name of the file with the clients' tokens, one a line.
pub(crate) const TOKENS_FILE: &str = "tokens";

/// Limits that a load would run into, and what they are raised to.
const RAISED: [(&str, i64); 3] = [("connections_per_user", 0), ("unidentified", 100_000), ("inbound_per_minute", 0)];

/// What a load needs of its server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Household {
    /// Libraries events are spread over.
    pub(crate) libraries: u32,
    /// Libraries of each client; 0 for all.
    pub(crate) client_libraries: u32,
    /// Further settings; users and tokens are made here, limits are raised where these do not say otherwise.
    pub(crate) more: Table,
}

impl Household {
    /// The settings, without addresses and folder.
    pub(crate) fn settings(&self) -> String {
        let mut table = self.more.clone();
        let limits = table.entry("limits").or_insert_with(|| Value::Table(Table::new()));
        for (name, limit) in RAISED {
            limits.as_table_mut().map(|limits| limits.entry(name).or_insert(Value::Integer(limit)));
        }
        let mut text = format!(
            "{table}\n\
             [[users]]\nid = \"admin\"\ntoken = \"{ADMIN}\"\nadmin = true\n\
             [[users]]\nid = \"stranger\"\ntoken = \"{STRANGER}\"\nlibraries = {{ elsewhere = \"read\" }}\n\
             [[tokens]]\ntoken = \"{PUBLISHER}\"\npublish = {{ types = [\"medias\", \"raw\"] }}\n\
             [[tokens]]\ntoken = \"{READER_AND_PUBLISHER}\"\nuser = \"user0\"\npublish = {{ types = [\"medias\", \"raw\"] }}\n"
        );
        for (number, token) in self.client_tokens().iter().enumerate() {
            let rights = if self.users() == 1 {
                "\"read\"".to_owned()
            } else {
                let libraries = libraries_of_user(number, self.libraries, self.client_libraries);
                let named: Vec<_> = libraries.into_iter().map(|library| library_name(library, self.libraries)).collect();
                format!("{{ {} = \"read\" }}", named.join(" = \"read\", "))
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "[[users]]\nid = \"user{number}\"\ntoken = \"{token}\"\nlibraries = {rights}");
        }
        text
    }

    /// The clients' tokens, to be given out in turn: client `n` has the libraries of user `n` modulo their number.
    pub(crate) fn client_tokens(&self) -> Vec<String> {
        (0..self.users()).map(|number| format!("loadtest-user{number}-0123456789abcdef0123456789abcdef")).collect()
    }

    /// As many users as there are different subscriptions: client `n` begins at library `n * width`, around the end.
    fn users(&self) -> u32 {
        let (libraries, width) = (self.libraries.max(1), self.client_libraries);
        if width == 0 || width >= libraries { 1 } else { libraries / greatest_common_divisor(libraries, width) }
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Subscription;

    #[test]
    fn every_client_shares_a_token_only_with_clients_of_the_same_libraries() {
        for (libraries, client_libraries) in [(1, 0), (1000, 10), (10, 3), (12, 8), (5, 5)] {
            let household = Household { libraries, client_libraries, ..Household::default() };
            let users = household.client_tokens().len();
            for client in 0..3000 {
                let names = |client| Subscription::of_client(client, libraries, client_libraries).names();
                assert_eq!(names(client), names(client % users), "client {client} of {libraries} libraries");
            }
        }
    }

    #[test]
    fn users_read_their_libraries_and_no_others() {
        let settings = Household { libraries: 10, client_libraries: 5, ..Household::default() }.settings();
        let libraries = |users: std::ops::Range<u32>| users.map(|n| format!("lib{n} = \"read\"")).collect::<Vec<_>>().join(", ");
        assert!(settings.contains(&format!("libraries = {{ {} }}", libraries(5..10))), "{settings}");
        assert_eq!(settings.matches("[[users]]").count(), 4, "two users, the administrator and the stranger");
        assert!(Household::default().settings().contains("libraries = \"read\""));
    }
}
