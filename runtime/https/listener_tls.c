/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The certificate that a client has shown. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "listener_impl.h"

/* The name of a certificate: its URI, else its DNS name, else its common name. */
static bool take_name(gnutls_x509_crt_t crt, char name[HTTPS_MAX_NAME])
{
    static const int kinds[] = {GNUTLS_SAN_URI, GNUTLS_SAN_DNSNAME};
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0;; i++) {
            size_t size = HTTPS_MAX_NAME - 1;
            int r = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
            if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
                break;
            if (r == kinds[k]) {
                name[size] = '\0';
                return strlen(name) == size && size;
            }
        }
    size_t size = HTTPS_MAX_NAME;
    return gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0 && name[0];
}

bool https_peer_verify(struct peer *p, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info ? info->tls_session : NULL;
    gnutls_x509_crt_t crt;
    unsigned status = 0, n = 0;
    const gnutls_datum_t *shown = session ? gnutls_certificate_get_peers(session, &n) : NULL;
    p->verified = true;
    p->certificate[0] = '\0';
    if (!shown || !n)
        return true;
    if (gnutls_certificate_verify_peers2(session, &status) < 0 || status || gnutls_x509_crt_init(&crt) < 0)
        return false;
    bool good = gnutls_x509_crt_import(crt, &shown[0], GNUTLS_X509_FMT_DER) == 0 && take_name(crt, p->certificate);
    gnutls_x509_crt_deinit(crt);
    if (!good)
        p->certificate[0] = '\0';
    return good;
}
