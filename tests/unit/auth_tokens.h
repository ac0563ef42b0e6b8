/* Made once with another implementation (PyJWT); the private keys are gone. */
static const char jwks[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":\"e1\"},{"
    "\"kty\":\"RSA\",\"u"
    "se\":\"enc\",\"n\":\"AQ\",\"e\":\"AQAB\",\"kid\":\"enc\"},{\"kty\":\"RSA\",\"use\":\"sig\","
    "\"alg\":\"RS256"
    "\",\"kid\":\"r1\",\"n\":\"qD0Ap2IVgXfH_w7YEHhQjSFvZQiVs714anIpXGQqOhRy_ML0_UofWVAylpx4rU"
    "scQoMehxVYbztDQ5QbHBzrfx2VQeVm_qwF9XZCSY5TRi1NkK_NIR7HKQqekmofFAE-_jpjawGm0IxQVZ"
    "qd-Q3N4ansU2mLUGc99JdaSj89y9w-EZNItenFP0sIKgXo9YHI_w-akCjfwRfCuUej3EX-Ll_pSq3Igl"
    "pSqmK87nLlSW4baeyX89eO_9yULSz0hLK_amQ8RxifM-iHD7PjX1St-tZ5KP3pRFoxE54ieRhnFAQwjJ"
    "cIIID7M0jsoTTts91H4GlKtksiaXHCq64f5Xsx9Q\",\"e\":\"AQAB\",\"x5t\":[\"x\"]}]}";
static const char rs256[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbm4iLCJpc3MiOiJo"
    "dHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOlsic2hvcCIsIm90aGVyIl0sImV4cCI6MjAwMDAwMDAwMCwi"
    "bmJmIjoxNzAwMDAwMDAwLCJyb2xlcyI6WyJjbGVyayIsInVua25vd24iXSwidGVuYW50IjoiYWNtZSIs"
    "ImxldmVsIjozLCJuZXN0ZWQiOnsiYSI6WzFdfX0.HiZfR5TMQloj4vYliNcIeuJ_eR-ACwcHPRsVJ-Ak"
    "fxlQf-A3KZD18ykIMIFRRt0M9YYxwL-8iezrg31IlJoNd6TOxEvIkSs2F54EmYhydaIvZ8PjYA49BaX3"
    "JxPMSCpxI33gmPUh8JIFatWgS8RKOjiLX4NGG9k8xfOS1OvUWvaa7I4NSvKmOZ6N0sSalwtckn6nmqTC"
    "g5BGjYd12H1SzdU86xMY-dftcL7egsN0vTM8WPzhekTYpYWzxgdcSh3TdcJtrSwzBpElxd--3rB8Udzs"
    "G2OaPpN5pdcP6RwXZCRzmxcgw1kKEj-awD4XgEerpguLJ1MBQReSacad0FbcTg";
static const char hs256[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJpc3MiOiJodHRwczovL2lkLmV"
    "4YW1wbGUiLCJhdWQiOlsic2hvcCIsIm90aGVyIl0sImV4cCI6MjAwMDAwMDAwMCwibmJmIjoxNzAwMDA"
    "wMDAwLCJyb2xlcyI6ImJvc3MgY2xlcmsiLCJ0ZW5hbnQiOiJhY21lIiwibGV2ZWwiOjMsIm5lc3RlZCI"
    "6eyJhIjpbMV19fQ.Fwx80mCiO5UKBnRGgT5co7whnc13Gzql6fsJH4jaSWg";
static const char confused[] =
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAicjEifQ.eyJzdWIiOiAiYW5uIiwgI"
    "mlzcyI6ICJodHRwczovL2lkLmV4YW1wbGUiLCAiYXVkIjogWyJzaG9wIiwgIm90aGVyIl0sICJleHAiO"
    "iAyMDAwMDAwMDAwLCAibmJmIjogMTcwMDAwMDAwMCwgInJvbGVzIjogWyJjbGVyayIsICJ1bmtub3duI"
    "l0sICJ0ZW5hbnQiOiAiYWNtZSIsICJsZXZlbCI6IDMsICJuZXN0ZWQiOiB7ImEiOiBbMV19fQ.goZAxg"
    "Y_A8hmrQlBAnGWSdxVwgayzBlwQclG6MPuwWU";
static const char unsigned_token[] =
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiAiYW5uIiwgImlzcyI6ICJodHRwczovL2lkLmV4YW1wbGUiLCAi"
    "YXVkIjogWyJzaG9wIiwgIm90aGVyIl0sICJleHAiOiAyMDAwMDAwMDAwLCAibmJmIjogMTcwMDAwMDAw"
    "MCwgInJvbGVzIjogWyJjbGVyayIsICJ1bmtub3duIl0sICJ0ZW5hbnQiOiAiYWNtZSIsICJsZXZlbCI6"
    "IDMsICJuZXN0ZWQiOiB7ImEiOiBbMV19fQ.";
static const char other_key[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbm4iLCJpc3MiOiJo"
    "dHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOlsic2hvcCIsIm90aGVyIl0sImV4cCI6MjAwMDAwMDAwMCwi"
    "bmJmIjoxNzAwMDAwMDAwLCJyb2xlcyI6WyJjbGVyayIsInVua25vd24iXSwidGVuYW50IjoiYWNtZSIs"
    "ImxldmVsIjozLCJuZXN0ZWQiOnsiYSI6WzFdfX0.ODCqr0ZZZ_IzLlSJr9hbIR-nePnokjC2cN_4NgQv"
    "IzVzxIEv-uiIRaUGFO6T5ge4IE3p6YTxzGQ_uQ6CfnVBSb3WmdGHP3Zm4TOmBbsTzkxOLj5pbnapdNVg"
    "MNCz_SWIo4xLbctE7gIaj8vffGbvIfe_RV1n2-FkAQfMRvVEODZnJpB3MpJOUKx25frf4wOY8K2AHWwz"
    "3IY_y6AaOtp0EHRo_HFDfnjGijhN1l5QtYx-dxL_NrtblfOh7dUT34JvY_NEgUVftv5Iimdcy5o6Eqe-"
    "1h3LAiS8cDSRmsIn0pjRKQVfCLI-1ICbF1ho0SYV9-lHQC3qlr73nIN0gEWpAA";
static const char without_kid[] =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ4IiwiaXNzIjoiaHR0cHM6Ly9pZC5leGF"
    "tcGxlIiwiYXVkIjoic2hvcCIsImV4cCI6MjAwMDAwMDAwMH0.eXejzpb0WP3fvtKiuoLij5EL3f99t6U"
    "IpmCrWPNC3Zjq-_Xg4-MnOgQzA657aj05CrF8VBPOYZJPrX5_kn1N-3sfUtVb23RDRRtnof0VVnJCCL9"
    "xP9pffXj4W_bho_Y33dubt7ZZ9GEQzHkjCmW96dQw1lF2K-_BdvWQuIsXvcF0VgrO0FMueK7gZUM1h4C"
    "gAwTiQhrotkXQl6LdmVChSo6JLpYV-ROisbc-2B9UrNCJ_aqwOumsYP_t1YpeCOQpnmukd5qKmZDKQxE"
    "IayMsHm48VFuko0bRLAtK_2EfpDJVmNCstaAyJD258iXoJTGmK-PO9fl8GMMkT9I2axzxIQ";
static const char without_exp[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ4IiwiaXNzIjoiaHR0"
    "cHM6Ly9pZC5leGFtcGxlIiwiYXVkIjoic2hvcCJ9.NCW4zkR4KBoegzFU6MnDFy-fcRgVEAg5e8Edscu"
    "eiRWWQI6PIbeYxYNqbQ20ZKvj_6z2IBLeoUjQHxIc90VdA9DKRaV-bwcK3ea_wiACCz_dnNVdtyMiTMo"
    "NGPrv_tt4CrAVJdwmyql1EOV30w4xYS4wQKtbupt3DENqICQVdPDsStCEFxFsIbccKO0UW8oPszZzFSy"
    "0OjJggTfZxuW9UViHOcOUyrbOIBZlpiSex_YA4SpzWsAThzYyHfJinOckZEYM8o2tC2LWjkMINUbzlQd"
    "32-mjmNzrBw9A85yibugQYXhFckiftm8QOivJj0hInU8wH-1Gh9XN3ktx01boRQ";
