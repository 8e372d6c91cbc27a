"""The real L3 agent on a node that stands, and a server that knows what it is told.

usage: agent.py BUILDER WORKDIR THREADS --config-file FILE
THREADS is the size of each pool of the agent's helper threads; 0 leaves the agent its default. What the server knows
outlives this process in WORKDIR/server.json: who starts it again starts the agent anew.

Standard input, a line each: `add FLOATING_IP FIXED_IP`, `bound FLOATING_IP FIXED_IP` (to the snat namespace: no
distributed node has the instance) and `drop FLOATING_IP` are the server's, `start` is the agent's
full sync, `update` what it does when the router changed; `busy FLOATING_IP FIXED_IP FILE` has the server give and take
that floating IP, the agent updating each time, until FILE exists; `hold NETNS FILE` takes the agent's own lock on the
packet filter of that namespace, says so by FILE, keeps it for a while, and takes FILE away before it lets go. Each is
answered by its seconds.
"""
import json
import os
import sys
import time

builder, workdir, threads = sys.argv[1:4]
sys.path.insert(0, builder)
import build_node  # noqa: E402

build_node.guard()
# Its chains are named after the program.
sys.argv = ['/usr/bin/neutron-l3-agent']
known = [workdir + '/' + name for name in ('server.json', 'cloud.json')]
with open(next(path for path in known if os.path.exists(path))) as file:
    cloud = build_node.Cloud.from_json(json.load(file))
router, net = build_node.A_RID, 'ten'
# Instances that have no floating IP yet.
if not os.path.exists(known[0]):
    for host in range(5, 10):
        cloud.vm(net, '10.0.0.%d' % host)
agent = build_node.setup_neutron(cloud, workdir, threads=int(threads))
from neutron_lib.utils import runtime  # noqa: E402
from oslo_concurrency import lockutils  # noqa: E402


def add(floating_ip, fixed_ip, bound=False):
    cloud.fip(router, 'public', floating_ip, fixed_ip, net, snat_bound=bound)


def update():
    build_node.notify(agent, [router])


for line in sys.stdin:
    words = line.split()
    began, rounds = time.time(), 0
    if words[0] == 'add':
        add(*words[1:])
    elif words[0] == 'bound':
        add(*words[1:], bound=True)
    elif words[0] == 'drop':
        cloud.unfip(router, words[1])
    elif words[0] == 'start':
        build_node.fullsync(agent)
    elif words[0] == 'update':
        update()
    elif words[0] == 'busy':
        while not os.path.exists(words[3]):
            add(*words[1:3])
            update()
            cloud.unfip(router, words[1])
            update()
            rounds += 1
    elif words[0] == 'hold':
        with lockutils.lock('iptables-' + words[1], runtime.SYNCHRONIZED_PREFIX, True):
            open(words[2], 'w').close()
            time.sleep(1.5)
            os.remove(words[2])
    took = time.time() - began
    build_node.l2_wire(cloud)
    with open(known[0] + '.new', 'w') as file:
        json.dump(cloud.to_json(), file)
    os.rename(known[0] + '.new', known[0])
    print('took %.6f %d' % (took, rounds), flush=True)
os._exit(0)
