//! Addresses.

use datawald_core::model::Address;

use super::doc::{AddressDoc, one_or_more};
use super::leaf::{Wrong, string, text};

/// Maps an address; an email that it lacks is the customer's.
pub(super) fn map(doc: &AddressDoc<'_>, customer_email: &str) -> Result<Address, Wrong> {
    let region_code = string(doc.region_code, "region_code")?;
    // Countries without a list of regions have a name at most.
    let region = if region_code.trim().is_empty() { string(doc.region, "region")? } else { region_code };
    let email = string(doc.email, "email")?;
    Ok(Address {
        firstname: string(doc.firstname, "firstname")?,
        lastname: string(doc.lastname, "lastname")?,
        email: if email.is_empty() { customer_email.to_owned() } else { email },
        companyname: string(doc.company, "company")?,
        address: street(doc)?,
        city: string(doc.city, "city")?,
        region,
        postcode: string(doc.postcode, "postcode")?,
        country: string(doc.country_id, "country_id")?,
        telephone: string(doc.telephone, "telephone")?,
    })
}

/// Whether a document holds anything of an address: for a virtual order Magento may give an empty one.
pub(super) fn is_empty(doc: &AddressDoc<'_>) -> bool {
    [doc.firstname, doc.lastname, doc.street, doc.city, doc.postcode, doc.country_id].iter().all(Option::is_none)
}

/// The street's lines, joined by line breaks, without empty ones.
fn street(doc: &AddressDoc<'_>) -> Result<String, Wrong> {
    let lines = one_or_more(doc.street).ok_or_else(|| Wrong::new("street", "should be a list of texts"))?;
    let mut street = String::new();
    for (at, line) in lines.into_iter().enumerate() {
        let line = text(line, "street").map_err(|wrong| Wrong::new(format!("street[{at}]"), wrong.message))?;
        if let Some(line) = line.as_deref().map(str::trim).filter(|line| !line.is_empty()) {
            if !street.is_empty() {
                street.push('\n');
            }
            street.push_str(line);
        }
    }
    Ok(street)
}
