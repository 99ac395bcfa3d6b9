/* SPDX-License-Identifier: Apache-2.0 */
/* "Sat, 13 Nov 2010 23:29:00 GMT" (RFC 3261 20.17, 25.1). */
#include "sip/addr.h"
#include "util/err.h"


#define DATE_N 29

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Index of the three letters in @names, -1 if they are not there. */
static int find_name(const char *names, int n, const char *p)
{
	for (int i = 0; i < n; i++) {
		if (str_eq_nocase(str_make(names + 3 * i, 3), str_make(p, 3))) {
			return i;
		}
	}
	return -1;
}

/* @n digits, -1 if they are none. */
static int number(const char *p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (!ascii_is_digit((unsigned char)p[i])) {
			return -1;
		}
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

/* Days from 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is
 * the last. @month 0..11. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month < 2 ? year - 1 : year;
	int64_t m = (month + 10) % 12;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day -
	       1 - 719468;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
	static const uint8_t n[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return n[month] + (month == 1 && is_leap(year));
}

int sip_date_parse(struct str text, int64_t *unix_r)
{
	const char *p = text.p;
	int day, month, year, hour, minute, second;

	if (text.n != DATE_N || p[3] != ',' || p[4] != ' ' || p[7] != ' ' || p[11] != ' ' ||
	    p[16] != ' ' || p[19] != ':' || p[22] != ':' || memcmp(p + 25, " GMT", 4) != 0 ||
	    find_name(days, 7, p) < 0) {
		return BELFRY_EPARSE;
	}
	day = number(p + 5, 2);
	month = find_name(months, 12, p + 8);
	year = number(p + 12, 4);
	hour = number(p + 17, 2);
	minute = number(p + 20, 2);
	second = number(p + 23, 2);
	if (month < 0 || year < 0 || day < 1 || day > month_days(year, month) || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
		return BELFRY_EPARSE;
	}
	*unix_r = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return 0;
}

/* The last @n digits of @v, zeros in front. */
static void put_number(char *out, int v, int n)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void sip_date_print(int64_t unix_s, char out[30])
{
	int64_t day = unix_s / 86400, second = unix_s % 86400, z, era, of_era, year_of_era, of_year;
	int year, month, mday, weekday;

	if (second < 0) {
		second += 86400;
		day--;
	}
	z = day + 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	of_era = z - era * 146097;
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (int)((5 * of_year + 2) / 153);
	mday = (int)(of_year - (153 * month + 2) / 5 + 1);
	month = (month + 2) % 12;
	year = (int)(year_of_era + era * 400) + (month < 2);
	weekday = (int)((day % 7 + 11) % 7);
	memcpy(out, "Ddd, 00 Mmm 0000 00:00:00 GMT", 30);
	memcpy(out, days + 3 * weekday, 3);
	memcpy(out + 8, months + 3 * month, 3);
	put_number(out + 5, mday, 2);
	put_number(out + 12, year, 4);
	put_number(out + 17, (int)(second / 3600), 2);
	put_number(out + 20, (int)(second / 60 % 60), 2);
	put_number(out + 23, (int)(second % 60), 2);
}
