//! `$filter`: the operators and functions that the Service Layer has, and no others.

use datawald_core::model::parse_decimal;
use rust_decimal::Decimal;

use super::check::{Names, date, time};
use super::error::Refusal;
use super::filter::{Filter, Literal, Operator, Search};
use super::schema::{Kind, Type, schema};

/// How deep parentheses and `not` may be nested.
const DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Word(String),
    Text(String),
    Number(Decimal),
}

/// Reads a filter on entities of type `of`.
pub(super) fn parse(text: &str, of: &Type, names: &Names<'_>) -> Result<Filter, Refusal> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, of, names };
    let filter = parser.any(DEPTH)?;
    if parser.at == tokens.len() { Ok(filter) } else { Err(syntax("the end is expected")) }
}

fn syntax(what: &str) -> Refusal {
    Refusal::new(400, 201, format!("Invalid query option '$filter': {what}"))
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        let single = match c {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            ',' => Some(Token::Comma),
            _ => None,
        };
        if let Some(token) = single {
            tokens.push(token);
        } else if c == '\'' {
            let (quoted, taken) = quoted(rest).ok_or_else(|| syntax("a quote is not closed"))?;
            length = taken;
            // `datetime'2014-04-23'`: the prefix says nothing more.
            if tokens.last() == Some(&Token::Word("datetime".into())) {
                tokens.pop();
            }
            tokens.push(Token::Text(quoted));
        } else if !c.is_whitespace() {
            length = rest.find(|c: char| "(),'".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
            let word = rest.get(..length).unwrap_or_default();
            let number = c.is_ascii_digit() || c == '-';
            tokens.push(if number {
                Token::Number(parse_decimal(word).ok_or_else(|| syntax("what begins like a number is none"))?)
            } else {
                Token::Word(word.to_owned())
            });
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(tokens)
}

/// The text between quotes, doubled ones made single, and how long it is with them.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            out.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            out.push('\'');
        } else {
            return Some((out, at + 1));
        }
    }
    None
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    of: &'a Type,
    names: &'a Names<'a>,
}

enum Operand {
    Property(String, Kind),
    Literal(Literal),
}

impl<'a> Parser<'a> {
    fn any(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut filters = vec![self.all(depth)?];
        while self.take_word("or") {
            filters.push(self.all(depth)?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::Any(filters) })
    }

    fn all(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut filters = vec![self.one(depth)?];
        while self.take_word("and") {
            filters.push(self.one(depth)?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::All(filters) })
    }

    fn one(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let deeper = depth.checked_sub(1).ok_or_else(|| syntax("it is nested too deep"))?;
        if self.take_word("not") {
            return Ok(Filter::Not(Box::new(self.one(deeper)?)));
        }
        if self.take(&Token::Open) {
            let filter = self.any(deeper)?;
            return self.close().map(|()| filter);
        }
        if let (Some(Token::Word(name)), Some(Token::Open)) = (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
            self.at += 2;
            return self.function(name);
        }
        let left = self.operand()?;
        let operator = match self.next() {
            Some(Token::Word(word)) => Operator::named(word),
            _ => None,
        };
        let operator = operator.ok_or_else(|| syntax("one of eq, ne, lt, le, gt, ge is expected"))?;
        match (left, self.operand()?) {
            (Operand::Property(name, kind), Operand::Literal(literal)) => self.compare(name, kind, operator, literal),
            (Operand::Literal(literal), Operand::Property(name, kind)) => {
                self.compare(name, kind, operator.turned(), literal)
            }
            (Operand::Property(left, _), Operand::Property(right, _)) => Ok(Filter::Properties(left, operator, right)),
            _ => Err(syntax("a property is expected")),
        }
    }

    fn function(&mut self, name: &str) -> Result<Filter, Refusal> {
        let search = match name {
            "startswith" => Search::Start,
            "endswith" => Search::End,
            "contains" | "substringof" => Search::Within,
            // So the real one takes it: as the name of a property.
            _ => return Err(Refusal::unknown_property(name, self.of.name)),
        };
        let first = self.operand()?;
        if !self.take(&Token::Comma) {
            return Err(syntax("',' is expected"));
        }
        let second = self.operand()?;
        self.close()?;
        let (property, literal) = if name == "substringof" { (second, first) } else { (first, second) };
        match (property, literal) {
            (Operand::Property(property, Kind::Text), Operand::Literal(Literal::Text(text))) => {
                Ok(Filter::Search(search, property, text))
            }
            _ => Err(syntax(&format!("'{name}' takes a property that is a text, and a text"))),
        }
    }

    /// A comparison, the literal brought into the form in which the property is kept.
    fn compare(&self, name: String, kind: Kind, operator: Operator, literal: Literal) -> Result<Filter, Refusal> {
        let wrong = || Refusal::malformed(format!("Invalid value for property '{name}' of '{}'", self.of.name));
        let literal = match (kind, literal) {
            (_, Literal::Null) => Literal::Null,
            (Kind::Int | Kind::Num, Literal::Text(text)) => Literal::Number(text.parse().map_err(|_| wrong())?),
            (Kind::Int | Kind::Num, number) => number,
            (Kind::Text, Literal::Text(text)) => Literal::Text(text),
            (Kind::Date, Literal::Text(text)) => Literal::Text(date(&text).ok_or_else(wrong)?),
            (Kind::Time, Literal::Text(text)) => Literal::Text(time(&text).ok_or_else(wrong)?),
            (Kind::Named(kind), Literal::Text(text)) => {
                let names = schema().enumeration(kind).and_then(|names| names.name_of(&text));
                Literal::Text(names.ok_or_else(wrong)?.to_owned())
            }
            _ => return Err(wrong()),
        };
        Ok(Filter::Compare(name, operator, literal))
    }

    fn operand(&mut self) -> Result<Operand, Refusal> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Operand::Literal(Literal::Text(text.clone()))),
            Some(Token::Number(number)) => Ok(Operand::Literal(Literal::Number(*number))),
            Some(Token::Word(word)) if word == "null" => Ok(Operand::Literal(Literal::Null)),
            Some(Token::Word(word)) => match self.names.property(self.of, word) {
                Some(known) if !known.list => Ok(Operand::Property(word.clone(), known.kind)),
                _ => Err(Refusal::unknown_property(word, self.of.name)),
            },
            _ => Err(syntax("a property or a value is expected")),
        }
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token
    }

    fn take(&mut self, token: &Token) -> bool {
        let there = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(there);
        there
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn close(&mut self) -> Result<(), Refusal> {
        if self.take(&Token::Close) { Ok(()) } else { Err(syntax("')' is expected")) }
    }
}
