//! The dialogue of `boundby decide`: asks for what decides and was not said, and takes "I do not know" for an answer.

use std::io::{self, BufRead, Write};

use crate::cli::{DecideArgs, values};
use crate::facts::LANGUAGES;

/// Times one question is asked before it is left open.
const TRIES: usize = 3;

/// Asks for everything decisive that is missing. An empty answer leaves it unknown; the end of the input ends the
/// questions.
pub(super) fn ask(
    args: &mut DecideArgs,
    answers: &mut dyn BufRead,
    questions: &mut dyn Write,
) -> io::Result<()> {
    let mut asked = Asked { answers, questions, begun: false };
    if args.language.is_none() {
        let known = LANGUAGES.map(|(name, _)| name).join(", ");
        args.language = asked.about(&format!("Which language? ({known})"), |text| {
            let text = text.to_lowercase();
            let found = LANGUAGES.iter().find(|(name, _)| *name == text);
            found.map(|(name, _)| (*name).to_owned()).ok_or_else(|| format!("one of {known}"))
        })?;
    }
    if args.items.is_none()
        && args.goals.rate.is_none()
        && args.goals.connections.is_none()
        && !args.background
    {
        args.items = asked.about("How many items of work? (for example 1000)", values::count)?;
    }
    let says_how_long = args.wait.is_some() || args.cpu.is_some() || args.cpu_outside_lock.is_some();
    let needs_length = args.items.is_some() || args.goals.rate.is_some();
    if !says_how_long && needs_length {
        args.wait =
            asked.about("How long does each wait: network, files, other programs? (100ms)", values::time)?;
        args.cpu = asked.about("How long does each compute? (1ms)", values::time)?;
    }
    let unclear = args.wait.is_none() && args.cpu.is_none() && args.cpu_outside_lock.is_none();
    if unclear && args.bound.is_none() && needs_length {
        args.bound = asked.about("Does it mostly wait (io), compute (cpu), or both (mixed)?", |text| {
            let text = text.to_lowercase();
            let known = crate::cli::BOUNDS.contains(&text.as_str());
            if known { Ok(text) } else { Err("io, cpu or mixed".to_owned()) }
        })?;
        if args.duration.is_none() {
            args.duration =
                asked.about("How long does everything take, one after another? (8min)", values::some_time)?;
        }
    }
    Ok(())
}

struct Asked<'a> {
    answers: &'a mut dyn BufRead,
    questions: &'a mut dyn Write,
    begun: bool,
}

impl Asked<'_> {
    fn about<T>(
        &mut self,
        question: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> io::Result<Option<T>> {
        if !self.begun {
            self.begun = true;
            writeln!(self.questions, "Enter leaves a question open.")?;
        }
        for _ in 0..TRIES {
            write!(self.questions, "{question} ")?;
            self.questions.flush()?;
            let mut answer = String::new();
            if self.answers.read_line(&mut answer)? == 0 {
                writeln!(self.questions)?;
                return Ok(None);
            }
            let answer = answer.trim();
            if answer.is_empty() {
                return Ok(None);
            }
            match read(answer) {
                Ok(value) => return Ok(Some(value)),
                Err(why) => writeln!(self.questions, "  {why}")?,
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(mut args: DecideArgs, answers: &str) -> (DecideArgs, String) {
        let mut questions = Vec::new();
        ask(&mut args, &mut answers.as_bytes(), &mut questions).unwrap();
        (args, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn what_decides_is_asked_and_an_empty_answer_leaves_it_open() {
        let (args, questions) = talk(DecideArgs::default(), "python\n1000\n100ms\n\n");
        assert_eq!(args.language.as_deref(), Some("python"));
        assert_eq!((args.items, args.wait, args.cpu), (Some(1000), Some(0.1), None));
        assert_eq!(questions.matches('?').count(), 4, "{questions}");
    }

    #[test]
    fn what_was_said_is_not_asked() {
        let said = DecideArgs {
            language: Some("rust".into()),
            items: Some(10),
            wait: Some(1.0),
            ..DecideArgs::default()
        };
        let (_, questions) = talk(said, "");
        assert_eq!(questions, "");
    }

    #[test]
    fn a_wrong_answer_is_asked_again_but_not_for_ever() {
        let (args, questions) = talk(DecideArgs::default(), "cobol\npython\nmany\n-3\nnone\n\n\n");
        assert_eq!((args.language.as_deref(), args.items), (Some("python"), None));
        assert!(questions.contains("one of python, rust") && questions.contains("type a whole number"));
    }

    #[test]
    fn the_end_of_the_input_ends_the_questions() {
        let (args, _) = talk(DecideArgs::default(), "");
        assert_eq!((args.language, args.items, args.bound), (None, None, None));
    }
}
