// CPcapShim: libpcap, AF_PACKET and Linux, made callable from Swift. Thin: no policy, no callbacks, no global state.
#pragma once
#include "swpcap_control.h"
#include "swpcap_link.h"
#include "swpcap_live.h"
#include "swpcap_namespace.h"
#include "swpcap_packet.h"
#include "swpcap_pcap.h"
#include "swpcap_process.h"
#include "swpcap_raw.h"
#include "swpcap_route.h"
#include "swpcap_tun.h"
#include "swpcap_stress.h"
