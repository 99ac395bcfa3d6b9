/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/redact.h"

#include "support/unit.h"

static void becomes(const char *in, const char *want)
{
	size_t n = strlen(in);
	char *p = malloc(n ? n : 1); /* exactly as large: nothing beyond is touched */

	memcpy(p, in, n);
	ctl_redact(p, n);
	ck_assert_msg(strlen(want) == n && memcmp(p, want, n) == 0, "\"%s\" became \"%.*s\"", in,
	              (int)n, p);
	free(p);
}

static void stays(const char *in)
{
	becomes(in, in);
}

#define BEGIN "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c\r\n"

START_TEST(digest_response_becomes_as_many_x)
{
	becomes(BEGIN
	        "Authorization: Digest username=\"alice\", response=\"0123abcd\", nc=1\r\n\r\n",
	        BEGIN
	        "Authorization: Digest username=\"alice\", response=\"xxxxxxxx\", nc=1\r\n\r\n");
	becomes(BEGIN "Proxy-Authorization: Digest response=\"0123\"\r\n\r\n",
	        BEGIN "Proxy-Authorization: Digest response=\"xxxx\"\r\n\r\n");
}
END_TEST

START_TEST(passwords_of_sip_uris_become_as_many_x)
{
	becomes("INVITE sip:bob:secret@b SIP/2.0\r\nFrom: <SIPS:al%41:p%20w@c:5061;x=y>;tag=1\r\n\r\n",
	        "INVITE sip:bob:xxxxxx@b SIP/2.0\r\nFrom: <SIPS:al%41:xxxxx@c:5061;x=y>;tag=1\r\n\r\n");
	becomes("Contact: sip:a:1@b,sip:c:5060,sip:d;e:2@f\r\n",
	        "Contact: sip:a:x@b,sip:c:5060,sip:d;e:x@f\r\n");
	stays("Contact: <sip:a@b:5060>, <sip:c:5060>, sip:, sips:x, sip:y:, sip:z:1\r\n");
	stays("sip:a:1");
	stays("a@b");
}
END_TEST

START_TEST(keys_of_session_descriptions_become_as_many_x)
{
	becomes("v=0\r\na=crypto:1 AES inline:abc+/=|2^20|1:4;inline:de KEY\r\nm=audio\r\n",
	        "v=0\r\na=crypto:1 AES inline:xxxxxx|2^20|1:4;inline:xx KEY\r\nm=audio\r\n");
	becomes("k=clear:my key\r\na=ice-pwd:abc\r\na=key-mgmt:mikey AQAF\r\n",
	        "k=clear:xx xxx\r\na=ice-pwd:xxx\r\na=key-mgmt:mikey xxxx\r\n");
	stays("k=prompt\r\na=ice-ufrag:abc\r\na=crypto:1 AES\r\na=key-mgmt:\r\n");
	becomes("a=ice-pwd:ab", "a=ice-pwd:xx");
}
END_TEST

START_TEST(any_spelling_is_found)
{
	becomes(BEGIN "authorization :  DIGEST realm=\"r\" , Response  = \"01\"\r\n\r\n",
	        BEGIN "authorization :  DIGEST realm=\"r\" , Response  = \"xx\"\r\n\r\n");
	becomes(BEGIN "Authorization:Digest\r\n response\r\n\t=\r\n  \"0\r\n 1\"\r\nTo: x\r\n\r\n",
	        BEGIN "Authorization:Digest\r\n response\r\n\t=\r\n  \"x\r\n x\"\r\nTo: x\r\n\r\n");
	becomes(BEGIN "Authorization: Digest response=0123,nc=1\r\n\r\n",
	        BEGIN "Authorization: Digest response=xxxx,nc=1\r\n\r\n");
	becomes(BEGIN "Authorization: Digest a=\"\\\"\",response=\"0\\\"1\",b=c\r\n\r\n",
	        BEGIN "Authorization: Digest a=\"\\\"\",response=\"xxxx\",b=c\r\n\r\n");
}
END_TEST

START_TEST(every_field_and_every_response_is_hidden)
{
	becomes("Authorization: Digest response=\"1\", response=\"2\"\nAuthorization: Digest "
	        "response=\"3\"\n",
	        "Authorization: Digest response=\"x\", response=\"x\"\nAuthorization: Digest "
	        "response=\"x\"\n");
}
END_TEST

START_TEST(what_another_value_says_hides_nothing)
{
	becomes(BEGIN "Authorization: Digest username=\"response=\", response=\"0123\"\r\n\r\n",
	        BEGIN "Authorization: Digest username=\"response=\", response=\"xxxx\"\r\n\r\n");
	becomes(BEGIN "Authorization: Digest a=\"\\\" response=\",response=0123\r\n\r\n",
	        BEGIN "Authorization: Digest a=\"\\\" response=\",response=xxxx\r\n\r\n");
}
END_TEST

START_TEST(malformed_ends_are_hidden_too)
{
	becomes(BEGIN "Authorization: Digest response=\"0123",
	        BEGIN "Authorization: Digest response=\"xxxx");
	becomes(BEGIN "Authorization: Digest response=\"01\\",
	        BEGIN "Authorization: Digest response=\"xxx");
	becomes(BEGIN "\rAuthorization: Digest response=0",
	        BEGIN "\rAuthorization: Digest response=x");
	stays(BEGIN "Authorization: Digest response=");
	stays(BEGIN "Authorization: Digest response");
	stays(BEGIN "Authorization:");
	stays("Authorization");
	stays("");
}
END_TEST

START_TEST(other_schemes_are_hidden_whole)
{
	becomes(BEGIN "Authorization: Basic YTpi\r\nTo: x\r\n\r\n",
	        BEGIN "Authorization: Basic xxxx\r\nTo: x\r\n\r\n");
	becomes(BEGIN "Authorization: Bearer a.b,\r\n c=\"d\"\r\n\r\n",
	        BEGIN "Authorization: Bearer xxxx\r\n xxxxx\r\n\r\n");
	becomes(BEGIN "Authorization: secret\r\n\r\n", BEGIN "Authorization: xxxxxx\r\n\r\n");
}
END_TEST

START_TEST(the_servers_proof_is_hidden)
{
	becomes("SIP/2.0 200 OK\r\nAuthentication-Info: rspauth=\"ab\", qop=auth\r\n\r\n",
	        "SIP/2.0 200 OK\r\nAuthentication-Info: rspauth=\"xx\", qop=auth\r\n\r\n");
	becomes("SIP/2.0 200 OK\r\nProxy-Authentication-Info: rspauth=ab\r\n\r\n",
	        "SIP/2.0 200 OK\r\nProxy-Authentication-Info: rspauth=xx\r\n\r\n");
}
END_TEST

START_TEST(all_else_stays_as_it_is)
{
	stays(BEGIN "WWW-Authenticate: Digest realm=\"response=1\", nonce=\"2\"\r\n\r\nresponse=3");
	stays(BEGIN "X-Authorization: Digest response=\"1\"\r\n\r\n");
	stays(BEGIN "Authorization: Digest cresponse=\"1\", responses=\"2\"\r\n\r\n");
	stays(BEGIN "Subject: x\r\n Authorization: Digest response=1\r\n\r\n");
}
END_TEST

START_TEST(a_quoted_message_in_the_body_is_looked_at)
{
	becomes("NOTIFY sip:a@b SIP/2.0\r\nContent-Length: 9\r\n\r\nAuthorization: Digest "
	        "response=\"12\"\r\n",
	        "NOTIFY sip:a@b SIP/2.0\r\nContent-Length: 9\r\n\r\nAuthorization: Digest "
	        "response=\"xx\"\r\n");
}
END_TEST

UNIT_MAIN("ctl/redact", digest_response_becomes_as_many_x, passwords_of_sip_uris_become_as_many_x,
          keys_of_session_descriptions_become_as_many_x, any_spelling_is_found,
          every_field_and_every_response_is_hidden, what_another_value_says_hides_nothing,
          malformed_ends_are_hidden_too, other_schemes_are_hidden_whole,
          the_servers_proof_is_hidden, all_else_stays_as_it_is,
          a_quoted_message_in_the_body_is_looked_at)
