//! Good inputs, a few of each kind: both roots, every form that is known.

use sapb1_connector::sandbox::service_layer::any_input::Parser as OfRequests;
use sapb1_connector::service_layer::any_input::Parser;

/// Two orders made, in OData v4; the second answers with its address alone.
const MADE: &[u8] = b"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\
    Content-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\
    Location: https://b1:50000/b1s/v2/Orders(536)\r\nContent-Length: 42\r\n\r\n{\"DocEntry\": 536, \"DocNum\": 1001}\r\n\
    --c--\r\n--b\r\nContent-Type: multipart/mixed;boundary=d\r\n\r\n--d\r\nContent-Type: application/http\r\n\
    Content-ID: 2\r\n\r\nHTTP/1.1 204 No Content\r\nLocation: /b1s/v2/Orders(537)\r\n\r\n\r\n--d--\r\n--b--\r\n";

/// One made and one refused, in OData v3: no blanks after colons.
const REFUSED: &[u8] = b"--b\nContent-Type:multipart/mixed;boundary=c\n\n--c\nContent-Type:application/http\n\
    Content-Transfer-Encoding:binary\n\nHTTP/1.1 201 Created\nLocation:http://b1/b1s/v1/Orders(5)\n\n{\"DocEntry\":5}\n--c--\n\
    --b\nContent-Type:application/http\nContent-Transfer-Encoding:binary\n\nHTTP/1.1 400 Bad Request\n\n\
    {\"error\":{\"code\":-10,\"message\":{\"lang\":\"en-us\",\"value\":\"1320000140 - exists\"}}}\n--b--\n";

/// Two pages.
const FOUND: &[u8] = b"--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 200 OK\r\n\
    Content-Type: application/json;odata.metadata=minimal\r\n\r\n{\"value\": [{\"DocEntry\": 7, \"NumAtCard\": \"000000001\", \
    \"Cancelled\": \"tNO\", \"DocumentStatus\": \"bost_Open\"}]}\r\n--b\r\nContent-Type: application/http\r\n\r\n\
    HTTP/1.1 200 OK\r\n\r\n{\"value\": []}\r\n--b--\r\n";

const DOCUMENTS: &[u8] = br#"{"@odata.context": "https://b1/b1s/v2/$metadata#Orders", "value": [
    {"@odata.etag": "W/\"356A192B7913B04C54574D18C28D46E6395428AB\"", "DocEntry": 536, "NumAtCard": "000000001",
     "Cancelled": "tNO", "DocumentStatus": "bost_Open"},
    {"DocEntry": 537, "NumAtCard": "000000002 ", "Cancelled": "tYES", "DocumentStatus": "bost_Close"}]}"#;

const DRAFTS: &[u8] =
    br#"{"odata.metadata": "https://b1/b1s/v1/$metadata#Drafts", "value": [{"odata.etag": "W/\"DA4B92\"",
    "DocEntry": 3, "NumAtCard": "000000002", "Cancelled": "tNO", "DocumentStatus": "bost_Open",
    "AuthorizationStatus": "dasPending"}], "odata.nextLink": "/b1s/v1/Drafts?$skip=20"}"#;

/// What a parser understands.
pub(crate) fn of_answer(parser: Parser) -> Vec<&'static [u8]> {
    match parser {
        Parser::Batch => vec![MADE, REFUSED, FOUND],
        Parser::BatchType => {
            vec![b"multipart/mixed;boundary=b", b"multipart/mixed; charset=utf-8; Boundary=\"b\"", b"text/plain; a=b"]
        }
        Parser::Error => vec![
            br#"{"error":{"code":-2028,"message":{"lang":"en-us","value":"No matching records found (ODBC -2028)"}}}"#,
            br#"{"error":{"code":"-10","details":[{"code":"","message":""}],"message":"1320000140 - already exists"}}"#,
            br#"{"error":{"code":301,"innererror":{"context":null,"trace":null},"message":{"value":"Sesi\u00f3n"}}}"#,
        ],
        Parser::LogIn => vec![
            br#"{"odata.metadata":"m","SessionId":"69fc492a-0a1b","Version":"930190","SessionTimeout":30}"#,
            br#"{"@odata.context":"m","SessionId":"f00d","Version":"1000190","SessionTimeout":1500}"#,
        ],
        Parser::Marks => vec![
            br#"{"odata.metadata":"m","odata.etag":"W/\"356A192B79\"","DocEntry":7}"#,
            br#"{"@odata.context":"m","@odata.null":true}"#,
        ],
        Parser::Page => vec![
            br#"{"value":[{"a":1,"b":[null,true,-1.50e2]},{"c":{"d":"e"}}],"odata.nextLink":"Projects?$skip=20"}"#,
            br#"{"value":[],"@odata.nextLink":"/b1s/v2/Orders?$filter=CardCode%20eq%20'a'&$skip=20"}"#,
            br#"{"value":[1],"odata.nextLink":"UserFieldsMD?%24filter=TableName+eq+%27OCRD%27&$skip=20"}"#,
            br#"{"value":[{}],"odata.nextLink":"SQLQueries('sql0001')/List?&$skip=5"}"#,
        ],
        Parser::NextLink => vec![
            b"/b1s/v1/Orders?$skip=20",
            b"Projects?$skip=20",
            b"UserFieldsMD?%24filter=TableName+eq+%27OCRD%27&$skip=20",
            b"SQLQueries('sql0001')/List?&$skip=5",
            b"https://b1.example.com:50000/b1s/v2/Orders?$skip=20",
        ],
        Parser::Documents => vec![DOCUMENTS, DRAFTS],
        Parser::Made => vec![
            br#"{"odata.metadata":"m","odata.etag":"W/\"1\"","DocEntry":536,"DocNum":1001,"DocTotal":396.87}"#,
            br#"{"DocEntry":7,"DocumentLines":[{"LineNum":0,"ItemCode":"A","Quantity":3.0}],"U_WebOrder":null}"#,
        ],
        Parser::Open => vec![
            br#"{"@odata.etag":"W/\"356A\"","DocEntry":7,"DocumentStatus":"bost_Open","Cancelled":"tNO"}"#,
            br#"{"odata.etag":"W/\"DA4B\"","DocEntry":8,"DocumentStatus":"bost_Open","Cancelled":"tNO"}"#,
        ],
        Parser::Location => vec![
            b"https://b1.example.com:50000/b1s/v1/Orders(22)",
            b"/b1s/v2/Orders(DocEntry=22)",
            b"http://127.0.0.1/b1s/v2/Orders(9223372036854775807)",
        ],
        Parser::Customers => vec![
            br#"{"value":[{"CardCode":"C20000","EmailAddress":"a@example.com"},{"CardCode":"W7","EmailAddress":null}]}"#,
            br#"{"value":[{"CardCode":"O'Neil"}],"odata.nextLink":"BusinessPartners?$skip=1"}"#,
        ],
        Parser::Contacts => vec![
            br#"{"odata.etag":"W/\"1\"","CardCode":"C20000","ContactEmployees":[{"InternalCode":1,"Name":"Ada","E_Mail":null,
                "FirstName":"Ada","LastName":""},{"InternalCode":null,"Name":null}]}"#,
            br#"{"CardCode":"C1"}"#,
        ],
        Parser::Expenses => vec![br#"{"value":[{"ExpensCode":1,"Name":"Freight"},{"ExpensCode":2,"Name":null}]}"#],
        Parser::Transports => vec![
            br#"{"value":[{"Code":-1,"Name":"Fedex"},{"Code":2,"Name":"UPS"}],"@odata.nextLink":"ShippingTypes?$skip=2"}"#,
        ],
        Parser::Payments => vec![
            br#"{"odata.metadata":"https://b1:50000/b1s/v1/$metadata#WizardPaymentMethods","value":[{"PaymentMethodCode":"Check"},
                {"PaymentMethodCode":"Incoming BT 02"}],"odata.nextLink":"WizardPaymentMethods?$skip=2"}"#,
            br#"{"@odata.context":"https://b1:50000/b1s/v2/$metadata#WizardPaymentMethods","value":[
                {"PaymentMethodCode":"Check","Description":"A check by post","Active":"tYES"}]}"#,
        ],
        Parser::SalesTaxes => vec![br#"{"value":[{"Code":"CA","Rate":8.250000},{"Code":"EX","Rate":null}]}"#],
        Parser::Currencies => {
            vec![br#"{"value":[{"Code":"$","DocumentsCode":"USD"},{"Code":"EUR","DocumentsCode":null}]}"#]
        }
        Parser::VatGroups => vec![
            br#"{"value":[{"Code":"A1","VatGroups_Lines":[{"Effectivefrom":"2000-01-01T00:00:00Z","Rate":19.0},
                {"Effectivefrom":"2024-01-01","Rate":21.5},{"Effectivefrom":null,"Rate":1}]},{"Code":"A2"}]}"#,
        ],
        Parser::Rate => vec![b"1.0825", br#"{"odata.metadata":"m","value":0.0119}"#, br#"{"value":1e2}"#],
        Parser::Company => vec![br#"{"@odata.context":"m","CompanyName":"OEC Computers","Version":1000190}"#, b"{}"],
        Parser::AdminInfo => {
            vec![br#"{"@odata.context":"m","LocalCurrency":"TRY","SystemCurrency":"EUR","DirectIndirectRate":"tYES"}"#]
        }
    }
}

/// What becomes largest in memory for what it is as text: a head, what is repeated, a tail.
pub(crate) const HEAVY: [(Parser, &str, &str, &str); 6] = [
    (Parser::Page, r#"{"value":["#, r#"{"":0},"#, "0]}"),
    (Parser::Page, r#"{"value":["#, "0,", "0]}"),
    (Parser::Documents, r#"{"value":["#, r#"{"":0},"#, "{}]}"),
    (Parser::Contacts, r#"{"CardCode":"","ContactEmployees":["#, "{},", "{}]}"),
    (Parser::Batch, "--b\nContent-Type:a\n\nHTTP/1.1 200\n", ":\n", "\n--b--"),
    (Parser::Batch, "", "--b\n", "--b--"),
];

/// What the sandbox understands.
pub(crate) fn of_request(parser: OfRequests) -> Vec<&'static [u8]> {
    match parser {
        OfRequests::Filter => vec![
            b"not (startswith(NumAtCard,'\xC3\xBC''x') or DocEntry eq -7) and DocDate lt datetime'20260131' or Comments eq null",
            b"NumAtCard eq '000000001' or NumAtCard eq '000000002'",
        ],
        OfRequests::Path => vec![b"UserFieldsMD(TableName='O''\xC3\xBC',FieldID=0)/Name", b"Orders(22)/Cancel"],
        OfRequests::Batch => vec![
            b"--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\
              Content-Transfer-Encoding:binary\r\nContent-ID: 1\r\n\r\nPOST /b1s/v1/Orders HTTP/1.1\r\nPrefer: a\r\n\r\n\
              {}\r\n--c--\r\n--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding:binary\r\n\r\n\
              GET Items('i')\r\n\r\n\r\n--b--\r\n",
        ],
        OfRequests::Body => vec![
            br#"{"DocDate":"20260131","DocTime":"1838","DocTotal":"1e2","DocType":"I","DocumentLines":[{"LineNum":-1}]}"#,
        ],
    }
}
