//! A command: an ordinary program, which `tempo run` runs once.

use std::env;

fn main() {
    let greeting = env::var("GREETING").unwrap_or_else(|_| "Hello".to_owned());
    let names: Vec<String> = env::args().skip(1).collect();
    println!("{}", greet(&greeting, &names));
}

fn greet(greeting: &str, names: &[String]) -> String {
    let names = if names.is_empty() {
        "world".to_owned()
    } else {
        names.join(" and ")
    };
    format!("{greeting}, {names}!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_greeted() {
        assert_eq!(greet("Hello", &[]), "Hello, world!");
        assert_eq!(
            greet("Hi", &["Ada".to_owned(), "Max".to_owned()]),
            "Hi, Ada and Max!"
        );
    }
}
