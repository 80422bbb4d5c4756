//! The shipped JSON Schema holds for every golden report, and is strict enough to catch a wrong one.

use boundby::report::json;
use serde_json::Value;

use crate::report_cases;
use crate::schema::violations;

#[test]
fn every_golden_follows_the_shipped_schema() {
    let schema: Value = serde_json::from_str(&json::schema()).unwrap();
    for case in report_cases::all() {
        let golden: Value = serde_json::from_slice(&json::to_json(&case.report())).unwrap();
        let errors = violations(&schema, &schema, &golden, case.name);
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let mut wrong: Value = serde_json::from_slice(&json::to_json(&report_cases::all()[0].report())).unwrap();
    wrong["verdict"]["confidence"] = "certain".into();
    wrong["profile"]["wall"].as_object_mut().unwrap().remove("gil");
    wrong["profile"]["sites"][0]["episodes"] = (-3).into();
    // What is wrong in a profile is one violation: it may be there, or be null.
    assert_eq!(violations(&schema, &schema, &wrong, "").len(), 2, "the checker must see what is wrong");
}
