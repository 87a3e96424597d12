/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * nftables by way of libnftables, the library that nft(8) is made of. It is loaded when it is
 * needed: to be linked with it costs each exec 0.4 ms, and most containers forward nothing.
 */

/**
 * nft_run() - carry out commands of nft(8) in one transaction
 * @commands: lines, as "nft -f" reads them
 * @reterr: on failure, why, as a clause, owned by the caller
 *
 * Other programs may change the rules meanwhile: the commands must not depend on what is there.
 * (libnftables makes its transactions for any generation of the rules, unlike iptables-nft, so the
 * kernel never sends it back to start again.)
 *
 * Return: 0; -ELIBACC without the library; -EPROTONOSUPPORT if the kernel has no nf_tables; -EIO if
 * the commands were refused; other negative errno. On failure nothing is changed.
 */
int nft_run(const char *commands, char **reterr);
